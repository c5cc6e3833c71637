/* notify.h - telling the service manager that we are ready: the sd_notify protocol, no library. */
#ifndef ZT_CLI_NOTIFY_H
#define ZT_CLI_NOTIFY_H

/*
 * Sends one message ("READY=1") to the socket that NOTIFY_SOCKET names: a path, or "@name" for an
 * abstract one. Does nothing when there is none; a manager that does not listen is no error of
 * ours. Protocol: sd_notify(3).
 */
void zt_notify(const char *message);

#endif
