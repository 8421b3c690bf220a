# Libraries that ship no usable pkg-config file.

# CS_LIB_HARU: sets HPDF_CFLAGS and HPDF_LIBS, or stops.
AC_DEFUN([CS_LIB_HARU], [
  AC_ARG_VAR([HPDF_CFLAGS], [C compiler flags for libharu])
  AC_ARG_VAR([HPDF_LIBS], [linker flags for libharu])
  cs_saved_CPPFLAGS=$CPPFLAGS; cs_saved_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $HPDF_CFLAGS"
  AC_CHECK_HEADER([hpdf.h], [],
    [AC_MSG_ERROR([hpdf.h (libharu) not found: install libhpdf-dev])])
  AS_IF([test -z "$HPDF_LIBS"], [
    AC_CHECK_LIB([hpdf], [HPDF_New], [HPDF_LIBS=-lhpdf],
      [AC_MSG_ERROR([libharu not found: install libhpdf-dev])])])
  CPPFLAGS=$cs_saved_CPPFLAGS; LIBS=$cs_saved_LIBS
])

# CS_LIB_CMARK_GFM: sets CMARK_CFLAGS and CMARK_LIBS, the extensions (tables,
# task lists, strikethrough, autolinks) included, or stops. Their library has
# no pkg-config file of its own.
AC_DEFUN([CS_LIB_CMARK_GFM], [
  PKG_CHECK_MODULES([CMARK], [libcmark-gfm >= 0.29.0.gfm.6])
  cs_saved_LIBS=$LIBS
  LIBS="$CMARK_LIBS $LIBS"
  AC_CHECK_LIB([cmark-gfm-extensions], [cmark_gfm_core_extensions_ensure_registered],
    [CMARK_LIBS="-lcmark-gfm-extensions $CMARK_LIBS"],
    [AC_MSG_ERROR([cmark-gfm-extensions not found: install libcmark-gfm-extensions-dev])])
  LIBS=$cs_saved_LIBS
])

# CS_JSONC_NOT_WITHDRAWN: json-c 0.17's own change log says not to use it.
AC_DEFUN([CS_JSONC_NOT_WITHDRAWN], [
  AS_IF([test "x$($PKG_CONFIG --modversion json-c)" = x0.17],
    [AC_MSG_ERROR([json-c 0.17 was withdrawn by its authors: use 0.16, or 0.18 and later])])
])
