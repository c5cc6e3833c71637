/*
 * tls.h - the server's certificate and key: read, checked, read anew when their files change. On
 * GnuTLS, which libmicrohttpd speaks TLS with.
 *
 * One in a process at a time: the library asks for the certificate through a function that is given
 * nothing of ours (see tls.c).
 */
#ifndef ZT_HTTP_TLS_H
#define ZT_HTTP_TLS_H

#include "base/error.h"

/* TLS 1.2 and 1.3, forward secrecy, authenticated ciphers. */
#define ZT_TLS_PRIORITIES                                                                          \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"    \
    "+CHACHA20-POLY1305:%SERVER_PRECEDENCE"

/*
 * Reads a chain and its key, both PEM files. The paths are copied.
 *   ZT_E_NOT_FOUND, ZT_E_DENIED  a file cannot be read
 *   ZT_E_INVALID                 one is not what it should be, or they do not belong together
 *   ZT_E_BUSY                    there is one already
 */
enum zt_code zt_tls_open(const char *cert, const char *key, struct zt_err *err);
void zt_tls_close(void); /* no handshake may be under way; fine when none is open */

/* Reads the files anew if they changed; what is wrong with them is logged, and the old stay. */
void zt_tls_look(void);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
void *zt_tls_callback(void);

/* The same checks without serving: *ret_until_s is when the certificate ends, Unix seconds. */
enum zt_code zt_tls_check(const char *cert, const char *key, int64_t *ret_until_s,
                          struct zt_err *err);

#endif
