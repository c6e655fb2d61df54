/*
 * TLS by OpenSSL: the verify callback lets everything pass and writes down each objection.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

static bool has_error(const struct net_tls_report *report, int code)
{
        for (size_t i = 0; i < report->error_count; i++)
                if (report->errors[i].code == code)
                        return true;
        return false;
}

bool net_tls_name_is_wrong(const struct net_tls_report *report)
{
        return has_error(report, X509_V_ERR_HOSTNAME_MISMATCH) || has_error(report, X509_V_ERR_IP_ADDRESS_MISMATCH);
}

enum net_tls_trust net_tls_trust(const struct net_tls_report *report)
{
        if (has_error(report, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT))
                return NET_TLS_LEAF_SELF_SIGNED;
        if (has_error(report, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN))
                return NET_TLS_ROOT_UNKNOWN;
        if (report->issuer_lacks)
                return report->issuer_hinted ? NET_TLS_INTERMEDIATE_MISSING : NET_TLS_ROOT_UNKNOWN;
        if (has_error(report, X509_V_ERR_CERT_UNTRUSTED) || has_error(report, X509_V_ERR_INVALID_CA) ||
            has_error(report, X509_V_ERR_CERT_SIGNATURE_FAILURE) || has_error(report, X509_V_ERR_CERT_CHAIN_TOO_LONG))
                return NET_TLS_ROOT_UNKNOWN;
        return NET_TLS_TRUSTED;
}

/* The common name, or else the whole name. */
static void name_text(const X509_NAME *name, char *buf, size_t bytes)
{
        char common[NET_TLS_NAME_BYTES] = "";
        BIO *bio;

        buf[0] = 0;
        if (X509_NAME_get_text_by_NID(name, NID_commonName, common, sizeof common) > 0 && common[0]) {
                snprintf(buf, bytes, "%s", common);
        } else if ((bio = BIO_new(BIO_s_mem()))) {
                X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);

                int n = BIO_read(bio, buf, (int)bytes - 1);

                buf[n > 0 ? n : 0] = 0;
                BIO_free(bio);
        }
        for (char *c = buf; *c; c++) /* it is a stranger's text, for a terminal */
                if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
                        *c = '?';
}

/* Seconds from *time* to now; negative: it is to come. False when it cannot be read. */
static bool seconds_since(const ASN1_TIME *time, int64_t *ret)
{
        int days = 0;
        int seconds = 0;

        if (!time || !ASN1_TIME_diff(&days, &seconds, time, NULL))
                return false;
        *ret = (int64_t)days * 86400 + seconds;
        return true;
}

static void note_dates(const X509 *certificate, struct net_tls_report *report)
{
        int64_t ago;

        if (seconds_since(X509_get0_notAfter(certificate), &ago) && ago > report->expired_for)
                report->expired_for = ago;
        if (seconds_since(X509_get0_notBefore(certificate), &ago) && -ago > report->valid_in)
                report->valid_in = -ago;
}

static bool same_organisation(const X509_NAME *one, const X509_NAME *other)
{
        char a[NET_TLS_NAME_BYTES];
        char b[NET_TLS_NAME_BYTES];

        return X509_NAME_get_text_by_NID(one, NID_organizationName, a, sizeof a) > 0 &&
               X509_NAME_get_text_by_NID(other, NID_organizationName, b, sizeof b) > 0 && strcmp(a, b) == 0;
}

/* Whether one of the roots that are trusted (and loaded) is of the organisation that the issuer is of. */
static bool has_root_of_organisation(X509_STORE *store, const X509_NAME *issuer)
{
        STACK_OF(X509_OBJECT) *objects = store ? X509_STORE_get0_objects(store) : NULL;

        for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
                const X509 *root = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

                if (root && same_organisation(X509_get_subject_name(root), issuer))
                        return true;
        }
        return false;
}

/* The authority key identifier may name the issuer's issuer: the same name is a root's, another one is not. */
static int issuer_of_issuer(const X509 *certificate)
{
        AUTHORITY_KEYID *id = X509_get_ext_d2i(certificate, NID_authority_key_identifier, NULL, NULL);
        int result = 0; /* unknown */

        for (int i = 0; id && i < sk_GENERAL_NAME_num(id->issuer); i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(id->issuer, i);

                if (name->type == GEN_DIRNAME)
                        result = X509_NAME_cmp(name->d.directoryName, X509_get_issuer_name(certificate)) == 0 ? -1 : 1;
        }
        AUTHORITY_KEYID_free(id);
        return result;
}

static void note_issuer_url(const X509 *certificate, struct net_tls_report *report)
{
        AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);

        for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
                const ACCESS_DESCRIPTION *entry = sk_ACCESS_DESCRIPTION_value(access, i);

                if (OBJ_obj2nid(entry->method) != NID_ad_ca_issuers || entry->location->type != GEN_URI)
                        continue;
                snprintf(report->issuer_url, sizeof report->issuer_url, "%.*s",
                         ASN1_STRING_length(entry->location->d.uniformResourceIdentifier),
                         (const char *)ASN1_STRING_get0_data(entry->location->d.uniformResourceIdentifier));
                for (char *c = report->issuer_url; *c; c++)
                        if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~')
                                *c = '?';
        }
        AUTHORITY_INFO_ACCESS_free(access);
}

/* *certificate*'s issuer was not found: is an intermediate missing, or is its root not trusted? */
static void note_missing_issuer(X509_STORE_CTX *context, const X509 *certificate, struct net_tls_report *report)
{
        const X509_NAME *issuer = X509_get_issuer_name(certificate);
        int above = issuer_of_issuer(certificate);

        report->issuer_lacks = true;
        name_text(issuer, report->top_issuer, sizeof report->top_issuer);
        note_issuer_url(certificate, report);
        if (above != 0)
                report->issuer_hinted = above > 0;
        else
                report->issuer_hinted = has_root_of_organisation(X509_STORE_CTX_get0_store(context), issuer) ||
                                        strncmp(report->issuer_url, "http", 4) == 0;
}

static int note_objection(int is_fine, X509_STORE_CTX *context)
{
        SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
        struct net_tls_report *report = ssl ? SSL_get_app_data(ssl) : NULL;
        struct net_tls_error error = {X509_STORE_CTX_get_error(context), X509_STORE_CTX_get_error_depth(context)};
        const X509 *certificate = X509_STORE_CTX_get_current_cert(context);

        if (is_fine || !report)
                return 1;
        for (size_t i = 0; i < report->error_count; i++)
                if (report->errors[i].code == error.code && report->errors[i].depth == error.depth)
                        return 1;
        if (report->error_count < NET_TLS_ERRORS_MAX)
                report->errors[report->error_count++] = error;
        if (certificate && (error.code == X509_V_ERR_CERT_HAS_EXPIRED || error.code == X509_V_ERR_CERT_NOT_YET_VALID))
                note_dates(certificate, report);
        if (certificate && (error.code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                            error.code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT))
                note_missing_issuer(context, certificate, report);
        return 1;
}

static bool is_address(const char *text)
{
        unsigned char bytes[16];

        return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool set_up(SSL *ssl, const struct net_tls_opts *opts, struct net_tls_report *report)
{
        X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
        uint8_t alpn[64];
        size_t alpn_bytes = opts->alpn ? strlen(opts->alpn) : 0;

        SSL_set_app_data(ssl, report);
        SSL_set_connect_state(ssl);
        SSL_set_verify(ssl, SSL_VERIFY_PEER, note_objection);
        SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
        if (alpn_bytes > 0 && alpn_bytes < sizeof alpn) {
                alpn[0] = (uint8_t)alpn_bytes;
                memcpy(alpn + 1, opts->alpn, alpn_bytes);
                SSL_set_alpn_protos(ssl, alpn, (unsigned)alpn_bytes + 1);
        }
        if (is_address(opts->host))
                return X509_VERIFY_PARAM_set1_ip_asc(param, opts->host);
        return X509_VERIFY_PARAM_set1_host(param, opts->host, 0) && SSL_set_tlsext_host_name(ssl, opts->host);
}

SSL *net_tls_new(const struct net_tls_opts *opts, struct net_tls_report *report)
{
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        bool is_fine = context != NULL;

        if (is_fine && opts->ca_file)
                is_fine = SSL_CTX_load_verify_locations(context, opts->ca_file, NULL);
        else if (is_fine)
                is_fine = SSL_CTX_set_default_verify_paths(context);
        if (is_fine && opts->any_version) {
                SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
                SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
        }

        SSL *ssl = is_fine ? SSL_new(context) : NULL;
        BIO *in = BIO_new(BIO_s_mem());
        BIO *out = BIO_new(BIO_s_mem());

        SSL_CTX_free(context); /* *ssl* holds it */
        if (!ssl || !in || !out || !set_up(ssl, opts, report)) {
                BIO_free(in);
                BIO_free(out);
                SSL_free(ssl);
                ERR_clear_error();
                return NULL;
        }
        BIO_set_mem_eof_return(in, -1); /* empty means: wait for more */
        BIO_set_mem_eof_return(out, -1);
        SSL_set_bio(ssl, in, out);
        return ssl;
}

static int64_t to_time(const ASN1_TIME *time)
{
        struct tm parts;

        return time && ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : 0;
}

static void note_names(const X509 *certificate, struct net_tls_report *report)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        size_t used = 0;

        for (int i = 0; i < sk_GENERAL_NAME_num(names) && used < sizeof report->names - 1; i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
                char text[INET6_ADDRSTRLEN] = "";
                int n = 0;

                if (name->type == GEN_IPADD) {
                        int length = ASN1_STRING_length(name->d.iPAddress);

                        if (length == 4 || length == 16)
                                inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress),
                                          text, sizeof text);
                        n = snprintf(report->names + used, sizeof report->names - used, "%s%s", used ? ", " : "", text);
                } else if (name->type == GEN_DNS) {
                        n = snprintf(report->names + used, sizeof report->names - used, "%s%.*s", used ? ", " : "",
                                     ASN1_STRING_length(name->d.dNSName),
                                     (const char *)ASN1_STRING_get0_data(name->d.dNSName));
                }
                used += n > 0 ? (size_t)n : 0;
        }
        GENERAL_NAMES_free(names);
        for (char *c = report->names; *c; c++)
                if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
                        *c = '?';
}

/* Whether a stapled answer, signed by someone who may, says that the certificate is revoked. */
static bool is_revoked(SSL *ssl)
{
        const unsigned char *der = NULL;
        long bytes = SSL_get_tlsext_status_ocsp_resp(ssl, &der);
        OCSP_RESPONSE *response = bytes > 0 && der ? d2i_OCSP_RESPONSE(NULL, &der, bytes) : NULL;
        OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
        X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
        bool revoked = false;

        if (basic && OCSP_basic_verify(basic, SSL_get_peer_cert_chain(ssl), store, 0) == 1)
                for (int i = 0; i < OCSP_resp_count(basic); i++) {
                        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

                        revoked |= OCSP_single_get0_status(single, NULL, NULL, NULL, NULL) == V_OCSP_CERTSTATUS_REVOKED;
                }
        OCSP_BASICRESP_free(basic);
        OCSP_RESPONSE_free(response);
        ERR_clear_error();
        return revoked;
}

void net_tls_inspect(SSL *ssl, struct net_tls_report *report)
{
        const X509 *leaf = SSL_get0_peer_certificate(ssl);
        STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

        snprintf(report->version, sizeof report->version, "%s", SSL_get_version(ssl));
        snprintf(report->cipher, sizeof report->cipher, "%s", SSL_get_cipher_name(ssl));
        report->chain_count = chain ? (size_t)sk_X509_num(chain) : 0;
        if (!leaf)
                return;
        name_text(X509_get_subject_name(leaf), report->subject, sizeof report->subject);
        name_text(X509_get_issuer_name(leaf), report->issuer, sizeof report->issuer);
        note_names(leaf, report);
        report->not_before = to_time(X509_get0_notBefore(leaf));
        report->not_after = to_time(X509_get0_notAfter(leaf));
        report->revoked = is_revoked(ssl);
}
