/* api/routes.h: the resources' handlers, one file each; the table that binds
 * them to methods and paths is in router.c. */
#ifndef CS_API_ROUTES_H
#define CS_API_ROUTES_H

#include "api/exchange.h"

/* service.c */
cs_route_fn cs_api_health;
cs_route_fn cs_api_limits;
cs_route_fn cs_api_metrics;
cs_route_fn cs_api_openapi;
/* campaigns.c */
cs_route_fn cs_api_campaign_create;
cs_route_fn cs_api_campaign_list;
cs_route_fn cs_api_campaign_get;
cs_route_fn cs_api_campaign_status;
/* progress.c */
cs_route_fn cs_api_progress;
cs_route_fn cs_api_interactions_add;
cs_route_fn cs_api_interactions_list;
cs_route_fn cs_api_fail;
/* complete.c */
cs_route_fn cs_api_complete;
/* artifacts.c */
cs_route_fn cs_api_website_put;
cs_route_fn cs_api_pdf_put;
cs_route_fn cs_api_file_put;
cs_route_fn cs_api_artifact_get;
cs_route_fn cs_api_file_get;
/* uploads.c */
cs_route_fn cs_api_upload_begin;
cs_route_fn cs_api_upload_get;
cs_route_fn cs_api_upload_part;
cs_route_fn cs_api_upload_complete;
cs_route_fn cs_api_upload_abort;
/* aws.c: the endpoints of the seed document */
cs_route_fn cs_api_aws_get;
cs_route_fn cs_api_aws_list;
cs_route_fn cs_api_aws_stats;
cs_route_fn cs_api_aws_delete;
/* links.c */
cs_route_fn cs_api_signed;

#endif
