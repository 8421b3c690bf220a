/* ctl.h: what the commands of campaignctl share. */
#ifndef CS_CTL_H
#define CS_CTL_H

#include "wiring.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_FINDINGS = 2,  /* fsck, cleanup or doctor found something that stays */
    CTL_USAGE = 64,    /* EX_USAGE of <sysexits.h> */
    CTL_NO_INPUT = 66, /* EX_NOINPUT: no such campaign, file or folder */
    CTL_CONFIG = 78    /* EX_CONFIG */
};

struct ctl {
    const struct cs_settings *settings;
    struct cs_log *log;
    bool json;        /* answers for programs */
    bool progress;    /* standard error is a terminal */
    int64_t shown_us; /* when the progress line was last drawn */
    char *const *environment;
};

typedef int ctl_command_fn(struct ctl *ctl, int argc, char **argv);

/* ctl_maintenance.c */
ctl_command_fn ctl_init, ctl_recount, ctl_fsck, ctl_cleanup;
/* ctl_doctor.c */
ctl_command_fn ctl_doctor;
/* ctl_policy.c */
ctl_command_fn ctl_policy;
/* ctl_token.c */
ctl_command_fn ctl_token;
/* ctl_campaigns.c */
ctl_command_fn ctl_list, ctl_show, ctl_delete;
/* ctl_put.c */
ctl_command_fn ctl_put;

/* "campaignctl: <what>: <the error's sentence>" on standard error; returns the
 * exit status that goes with the error. */
int ctl_fail(const char *what, const struct cs_err *err);

/* Wrong usage of a command. */
int ctl_usage(const char *command, const char *problem);

/* Draws a line of progress on a terminal, at most ten times a second. */
void ctl_progress(struct ctl *ctl, const char *what, uint64_t done, uint64_t total);
/* Takes the line away again. */
void ctl_progress_end(struct ctl *ctl);

/* Writes the buffer and a newline to standard output. */
int ctl_print(const struct cs_buf *text);

/* An operator's call: may read and delete everything, within the given time. */
struct cs_call ctl_call(const char *user_id, int64_t budget_s);

/* The wiring of a command that looks at what there is, without a renderer: a local store
 * must be there. All of *out is defined on failure. */
enum cs_code ctl_open(const struct ctl *ctl, struct cs_wiring *out,
                      struct cs_err *err) CS_MUST_USE;

/* "1,234", "5.2 MiB": appended. */
void ctl_add_count(struct cs_buf *out, uint64_t count);
void ctl_add_bytes(struct cs_buf *out, uint64_t bytes);

#endif
