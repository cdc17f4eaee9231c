/* SPDX-License-Identifier: Apache-2.0 */
/* Detached ed25519 signatures, raw (64 bytes), as `openssl pkeyutl -sign -rawin` writes them. */
#ifndef KM_SIGNATURE_H
#define KM_SIGNATURE_H

#include "base/sha256.h"

#define KM_SIGNATURE_SIZE 64
/* What people are told of -ELIBACC. */
#define KM_SIGNATURE_MISSING "libcrypto.so.3, which knows signatures, cannot be loaded"
#define KM_SIGNATURE_REMEDY  "apt install libssl3"

struct km_public_key;

/* A public key as PEM. -EBADMSG: it is none, or none of ed25519; -ELIBACC: OpenSSL is not
 * installed. */
int km_public_key_new(const char *pem, size_t len, struct km_public_key **ret);
struct km_public_key *km_public_key_free(struct km_public_key *k);
KM_DEFINE_FREEP(struct km_public_key, km_public_key_free)

/* 0: SIGNATURE is that of TEXT by the key's owner; -EBADMSG: it is not. */
int km_signature_check(const struct km_public_key *k, const void *text, size_t len,
                       const uint8_t signature[KM_SIGNATURE_SIZE]);
/* With a private key as PEM, without a pass phrase. -EBADMSG, -ELIBACC as above. */
int km_signature_make(const struct km_span *pem, const void *text, size_t len,
                      uint8_t ret[KM_SIGNATURE_SIZE]);

#endif
