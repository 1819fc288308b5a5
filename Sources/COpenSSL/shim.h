// What Swift sees of OpenSSL: the headers, and as functions those macros the importer cannot turn into calls.
#ifndef BRANCH_EDGE_COPENSSL_SHIM_H
#define BRANCH_EDGE_COPENSSL_SHIM_H

#include <stdint.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline int shim_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int shim_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_max_proto_version(context, version);
}

static inline void shim_SSL_CTX_set_mode(SSL_CTX *context, long mode) { SSL_CTX_set_mode(context, mode); }

static inline void shim_SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}

/// Adds an intermediate certificate; the context keeps a reference of its own.
static inline int shim_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline int shim_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline int shim_ERR_GET_REASON(unsigned long error) { return ERR_GET_REASON(error); }

static inline int shim_ERR_GET_LIB(unsigned long error) { return ERR_GET_LIB(error); }

/// notBefore or notAfter as seconds since the Unix epoch; -1 where it cannot be told.
static inline int64_t shim_ASN1_TIME_to_unix(const ASN1_TIME *time) {
    struct tm parts;
    if (time == NULL || !ASN1_TIME_to_tm(time, &parts)) return -1;
    return (int64_t)timegm(&parts);
}

/// The distinguished name as RFC 2253 text on one line, with everything but printable ASCII escaped.
static inline int shim_X509_NAME_print(BIO *out, const X509_NAME *name) {
    return X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253);
}

static inline unsigned long shim_SSL_OP_NO_COMPRESSION(void) { return SSL_OP_NO_COMPRESSION; }
static inline unsigned long shim_SSL_OP_NO_RENEGOTIATION(void) { return SSL_OP_NO_RENEGOTIATION; }

static inline void shim_SSL_set_mtu(SSL *ssl, long mtu) { SSL_set_mtu(ssl, mtu); }

/// A handshake timer that never runs out by itself: the owner counts time and decides what is sent again.
static inline unsigned int shim_DTLS_endless_timer(SSL *ssl, unsigned int last) {
    (void)ssl;
    (void)last;
    return 3600u * 1000u * 1000u;
}

static inline void shim_DTLS_set_endless_timer(SSL *ssl) { DTLS_set_timer_cb(ssl, shim_DTLS_endless_timer); }

static inline unsigned long shim_SSL_OP_NO_QUERY_MTU(void) { return SSL_OP_NO_QUERY_MTU; }
static inline unsigned long shim_SSL_OP_NO_TICKET(void) { return SSL_OP_NO_TICKET; }

/// Drops what a memory BIO holds.
static inline void shim_BIO_reset(BIO *bio) { (void)BIO_reset(bio); }

/// A new key on P-256.
static inline EVP_PKEY *shim_EVP_PKEY_generate(void) { return EVP_EC_gen("P-256"); }

/// Adds an extension in the notation of x509v3_config(5); `issuer` may be the certificate itself.
static inline int shim_X509_add_extension(X509 *certificate, X509 *issuer, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    if (extension == NULL) return 0;
    int added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

/// The words of an error number of the system.
static inline const char *shim_strerror(int number) { return strerror(number); }

#endif
