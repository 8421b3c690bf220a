#!/bin/sh
# Apache starts this file, by mod_fcgid or as plain CGI, and it becomes campaignd,
# which finds out by itself which of the two it is. Mode 0755, owner the account.
#
# campaignstore's own folder lies outside of the document root: its path is set
# here when it is installed.
home=@CAMPAIGNSTORE_HOME@

# relative paths in .env are meant from there
cd "$home" || exit 1
exec "$home/bin/campaignd" --env "$home/.env"
