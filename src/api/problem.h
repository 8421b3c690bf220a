/* api/problem.h: errors as RFC 9457 problem details; the one place where our
 * codes become HTTP status. */
#ifndef CS_API_PROBLEM_H
#define CS_API_PROBLEM_H

#include "api/exchange.h"

/* Answers with the problem. Faults of this machine, and of services behind it, are
 * logged in full and told to the client without their inner cause. */
void cs_problem_answer(struct cs_exchange *x, const struct cs_err *cause);

int cs_problem_status(const struct cs_err *err);

#endif
