/*
 * What a server shows for TLS: how the handshake ended, and everything that is wrong with its certificates.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <openssl/ssl.h>

#define NET_TLS_ERRORS_MAX 12
#define NET_TLS_NAME_BYTES 128

struct net_tls_opts {
        const char *host;    /* the name that the certificate must be for, or an address as text */
        const char *ca_file; /* trusted instead of the system's; NULL: the system's, or SSL_CERT_FILE */
        bool any_version;    /* take part in what is no longer safe, to see what the server can do */
        const char *alpn;    /* a protocol such as "http/1.1"; NULL: none */
};

enum net_tls_end {
        NET_TLS_END_OK,        /* the handshake is done */
        NET_TLS_END_RESET,     /* the connection was reset after the ClientHello */
        NET_TLS_END_CLOSED,    /* it was closed, without an alert */
        NET_TLS_END_PLAINTEXT, /* what came is no TLS */
        NET_TLS_END_ALERT,     /* the server said no: *alert* */
        NET_TLS_END_SILENT,    /* nothing came in time */
        NET_TLS_END_SLOW,      /* it began, and was not done in time */
        NET_TLS_END_FAILED,    /* this side said no: *problem* */
};

struct net_tls_error {
        int code; /* X509_V_ERR_... */
        int depth;
};

struct net_tls_report {
        enum net_tls_end end;
        int alert;         /* of RFC 8446; -1: none */
        char problem[128]; /* OpenSSL's words; "" */
        char version[16];  /* "TLSv1.3"; also of a server whose handshake this side refused; "" */
        char cipher[64];
        struct net_tls_error errors[NET_TLS_ERRORS_MAX]; /* all that the verification found, each once per depth */
        size_t error_count;
        char text_start[64]; /* with PLAINTEXT: what came, printable */

        /* of the certificates that were sent */
        size_t chain_count;
        char subject[NET_TLS_NAME_BYTES], issuer[NET_TLS_NAME_BYTES]; /* of the server's own */
        char names[256];                                              /* that it is for, "a.example, *.b.example" */
        char top_issuer[NET_TLS_NAME_BYTES]; /* who signed the last one that leads up from it */
        int64_t not_before, not_after;       /* of the server's own, seconds since 1970 */
        int64_t expired_for, valid_in;       /* seconds, of the worst in the chain; 0: none is */
        bool issuer_lacks;                   /* a certificate's issuer was neither sent nor is trusted, */
        bool issuer_hinted;                  /* and something says that it is no root itself */
        char issuer_url[160];                /* where the certificate says that its issuer's can be had; "" */
        bool revoked;                        /* a stapled OCSP answer says so */
};

enum net_tls_trust {
        NET_TLS_TRUSTED,
        NET_TLS_LEAF_SELF_SIGNED,
        NET_TLS_INTERMEDIATE_MISSING,
        NET_TLS_ROOT_UNKNOWN,
};

/* What the errors say about the chain, about dates, and about the name. */
enum net_tls_trust net_tls_trust(const struct net_tls_report *report);
bool net_tls_name_is_wrong(const struct net_tls_report *report);

/* For stream.c: a connection object that collects into *report*, and what is to be read off it after the handshake. */
SSL *net_tls_new(const struct net_tls_opts *opts, struct net_tls_report *report);
void net_tls_inspect(SSL *ssl, struct net_tls_report *report);

#endif
