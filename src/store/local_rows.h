/* store/local_rows.h: from a row of the database to a record. */
#ifndef CS_STORE_LOCAL_ROWS_H
#define CS_STORE_LOCAL_ROWS_H

#include "store/local_database.h"
#include "store/store.h"

/* The record of the present row; its views are valid until the next step. */
struct cs_record cs_local_row(const struct cs_local_query *query, bool with_detail);

#endif
