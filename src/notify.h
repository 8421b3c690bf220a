/* notify.h: tells systemd how the service does (sd_notify(3)), over the socket
 * that NOTIFY_SOCKET names; nothing is linked for it. */
#ifndef CS_NOTIFY_H
#define CS_NOTIFY_H

/* Sends "READY=1", "STOPPING=1" and the like. Without a NOTIFY_SOCKET, or where
 * sending fails, nothing happens: the service does not depend on it. */
void cs_notify(const char *state);

/* "RELOADING=1" with the time that systemd wants beside it. */
void cs_notify_reloading(void);

#endif
