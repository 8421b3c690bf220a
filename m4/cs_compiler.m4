# CS_WARNINGS: sets CS_CFLAGS to the dialect, the warnings and the hardening
# that every source of the project is compiled with.
AC_DEFUN([CS_WARNINGS], [
  CS_CFLAGS="-std=gnu11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes"
  CS_CFLAGS="$CS_CFLAGS -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2"
  CS_CFLAGS="$CS_CFLAGS -fstack-protector-strong -fno-common"
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [make each compiler warning an error])])
  AS_IF([test "x$enable_werror" = xyes], [CS_CFLAGS="$CS_CFLAGS -Werror"])
  AC_SUBST([CS_CFLAGS])
])

# CS_SANITIZERS: --enable-sanitizers builds with ASan and UBSan, and without
# the hardening that would hide what they look for. CS_SANITIZED is defined then.
AC_DEFUN([CS_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers], [build with AddressSanitizer and UndefinedBehaviorSanitizer])])
  CS_SANITIZE=
  AS_IF([test "x$enable_sanitizers" = xyes],
    [CS_SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DCS_SANITIZED"],
    [CS_HARDEN="-D_FORTIFY_SOURCE=2"
     AS_CASE([" $CFLAGS "], [*-O0*|*FORTIFY_SOURCE*], [CS_HARDEN=])])
  AC_SUBST([CS_SANITIZE])
  AC_SUBST([CS_HARDEN])
])
