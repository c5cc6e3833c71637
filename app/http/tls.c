/*
 * tls.c - see tls.h. What was read is kept until the server ends, also after newer files took its
 * place: a handshake under way may still hold it, and they change a few times a year.
 *
 * The state is static because GnuTLS hands its certificate function a session and nothing else.
 */
#include "http/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#define FILE_MAX  ((size_t)1 << 20)
#define CHAIN_MAX 16

struct pair {
    struct pair *older;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_n;
    gnutls_privkey_t key;
};

/* What tells a file from the one that was read. */
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

static struct {
    pthread_mutex_t mutex; /* guards newest; the rest is the server's own */
    struct pair *newest;   /* NULL: none is open */
    char *cert_path, *key_path;
    struct stamp cert, key;
} tls = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void free_pair(struct pair *pair)
{
    for (unsigned i = 0; i < pair->chain_n; i++)
        gnutls_pcert_deinit(&pair->chain[i]);
    if (pair->key != NULL)
        gnutls_privkey_deinit(pair->key);
    free(pair);
}
ZT_AUTO(struct pair, pair, free_pair)

static void clear_secret(struct zt_buf *buf)
{
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->n);
    zt_buf_clear(buf);
}

static enum zt_code fail_tls(struct zt_err *err, const char *what, const char *path, int rc)
{
    zt_fail(err, ZT_E_INVALID, "%s %s: %s", what, path, gnutls_strerror(rc));
    return ZT_E_INVALID;
}

/* Whether the key is the one of the certificate: GnuTLS checks that as it takes them together. */
static enum zt_code check_match(const char *cert_path, const gnutls_datum_t *cert,
                                const gnutls_datum_t *key, struct zt_err *err)
{
    gnutls_certificate_credentials_t both = NULL;
    int rc = gnutls_certificate_allocate_credentials(&both);

    if (rc == GNUTLS_E_SUCCESS)
        rc = gnutls_certificate_set_x509_key_mem(both, cert, key, GNUTLS_X509_FMT_PEM);
    if (both != NULL)
        gnutls_certificate_free_credentials(both);
    if (rc < 0)
        return fail_tls(err, "the certificate and its key do not belong together:", cert_path, rc);
    return ZT_OK;
}

static enum zt_code import(const char *cert_path, const char *key_path, const struct zt_buf *cert,
                           const struct zt_buf *key, struct pair *ret, struct zt_err *err)
{
    gnutls_datum_t c = { (unsigned char *)cert->data, (unsigned)cert->n };
    gnutls_datum_t k = { (unsigned char *)key->data, (unsigned)key->n };
    unsigned n = CHAIN_MAX;

    int rc = gnutls_pcert_list_import_x509_raw(ret->chain, &n, &c, GNUTLS_X509_FMT_PEM,
                                               GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (rc < 0)
        return fail_tls(err, "the certificate file", cert_path, rc);
    ret->chain_n = n;
    rc = gnutls_privkey_init(&ret->key);
    if (rc >= 0)
        rc = gnutls_privkey_import_x509_raw(ret->key, &k, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0)
        return fail_tls(err, "the key file", key_path, rc);
    return check_match(cert_path, &c, &k, err);
}

static enum zt_code read_pair(const char *cert_path, const char *key_path, struct pair **ret,
                              struct zt_err *err)
{
    zt_auto(pair) struct pair *pair = zt_new(struct pair);
    struct zt_buf cert, key;

    zt_buf_init(&cert, FILE_MAX);
    zt_buf_init(&key, FILE_MAX);
    enum zt_code rc = zt_file_read(cert_path, &cert, err);
    if (rc == ZT_OK)
        rc = zt_file_read(key_path, &key, err);
    if (rc == ZT_OK && (cert.n == 0 || key.n == 0))
        rc = zt_fail(err, ZT_E_INVALID, "the file %s is empty", cert.n == 0 ? cert_path : key_path);
    if (rc == ZT_OK)
        rc = import(cert_path, key_path, &cert, &key, pair, err);
    zt_buf_clear(&cert);
    clear_secret(&key);
    if (rc == ZT_OK)
        *ret = zt_take_pair(&pair);
    return rc;
}

static struct stamp stamp_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (struct stamp){ .size = -1 };
    return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
}

static bool same(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void take_over(struct pair *pair)
{
    zt_locked(&tls.mutex);
    pair->older = tls.newest;
    tls.newest = pair;
}

/* ---- public -------------------------------------------------------------------------------- */

enum zt_code zt_tls_open(const char *cert, const char *key, struct zt_err *err)
{
    struct pair *pair = NULL;

    if (tls.newest != NULL)
        return zt_fail(err, ZT_E_BUSY, "another server of this process speaks TLS");
    struct stamp cert_stamp = stamp_of(cert);
    struct stamp key_stamp = stamp_of(key);
    ZT_TRY(read_pair(cert, key, &pair, err));
    tls.cert_path = zt_strdup_or_die(cert);
    tls.key_path = zt_strdup_or_die(key);
    tls.cert = cert_stamp;
    tls.key = key_stamp;
    take_over(pair);
    return ZT_OK;
}

void zt_tls_close(void)
{
    while (tls.newest != NULL) {
        struct pair *pair = tls.newest;
        tls.newest = pair->older;
        free_pair(pair);
    }
    free(tls.cert_path);
    free(tls.key_path);
    tls.cert_path = tls.key_path = NULL;
}

/* A renewal writes two files: between them the old key meets the new certificate, which does not
 * fit; the next look finds both. */
void zt_tls_look(void)
{
    struct stamp cert, key;
    struct pair *pair = NULL;
    struct zt_err err = { 0 };

    if (tls.cert_path == NULL)
        return;
    cert = stamp_of(tls.cert_path);
    key = stamp_of(tls.key_path);
    if (same(&cert, &tls.cert) && same(&key, &tls.key))
        return;
    tls.cert = cert;
    tls.key = key;
    if (read_pair(tls.cert_path, tls.key_path, &pair, &err) != ZT_OK) {
        ZT_LOG(WARN, "tls_not_reloaded", "msg=\"%s\"", err.msg);
        return;
    }
    take_over(pair);
    ZT_LOG(INFO, "tls_reloaded", "certificates=%u", pair->chain_n);
}

static int give(gnutls_session_t session, const gnutls_datum_t *names, int names_n,
                const gnutls_pk_algorithm_t *algorithms, int algorithms_n, gnutls_pcert_st **chain,
                unsigned *chain_n, gnutls_privkey_t *key)
{
    (void)session;
    (void)names;
    (void)names_n;
    (void)algorithms;
    (void)algorithms_n;
    zt_locked(&tls.mutex);
    if (tls.newest == NULL)
        return -1;
    *chain = tls.newest->chain;
    *chain_n = tls.newest->chain_n;
    *key = tls.newest->key;
    return 0;
}

void *zt_tls_callback(void)
{
    gnutls_certificate_retrieve_function2 *fn = give;
    union {
        gnutls_certificate_retrieve_function2 *fn;
        void *pointer;
    } as = { fn };

    return as.pointer;
}

enum zt_code zt_tls_check(const char *cert, const char *key, int64_t *ret_until_s,
                          struct zt_err *err)
{
    struct pair *pair = NULL;
    gnutls_x509_crt_t first = NULL;

    ZT_TRY(read_pair(cert, key, &pair, err));
    int rc = gnutls_pcert_export_x509(&pair->chain[0], &first);
    if (rc >= 0) {
        *ret_until_s = (int64_t)gnutls_x509_crt_get_expiration_time(first);
        gnutls_x509_crt_deinit(first);
    }
    free_pair(pair);
    return rc >= 0 ? ZT_OK : fail_tls(err, "the certificate file", cert, rc);
}
