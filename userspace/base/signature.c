// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/signature.h"

struct km_public_key {
	EVP_PKEY *key;
};

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_context(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

/* Nobody is asked for a pass phrase. */
static int no_phrase(char *buf, int size, int rwflag, void *userdata)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)userdata;
	return 0;
}

static int read_key(const char *pem, size_t len, bool private, EVP_PKEY **ret)
{
	km_autofree(free_bio) BIO *bio = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	km_autofree(free_key) EVP_PKEY *key = NULL;

	if (!bio)
		return -ENOMEM;
	key = private ? PEM_read_bio_PrivateKey(bio, NULL, no_phrase, NULL)
	              : PEM_read_bio_PUBKEY(bio, NULL, no_phrase, NULL);
	if (!key || EVP_PKEY_base_id(key) != EVP_PKEY_ED25519)
		return -EBADMSG;
	*ret = km_take(key);
	return 0;
}

int km_public_key_new(const char *pem, size_t len, struct km_public_key **ret)
{
	struct km_public_key *k = calloc(1, sizeof(*k));
	int r = k ? read_key(pem, len, false, &k->key) : -ENOMEM;

	if (r < 0) {
		free(k);
		return r;
	}
	*ret = k;
	return 0;
}

struct km_public_key *km_public_key_free(struct km_public_key *k)
{
	if (!k)
		return NULL;
	EVP_PKEY_free(k->key);
	free(k);
	return NULL;
}

int km_signature_check(const struct km_public_key *k, const void *text, size_t len,
                       const uint8_t signature[KM_SIGNATURE_SIZE])
{
	km_autofree(free_context) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->key) != 1)
		return -EIO;
	return EVP_DigestVerify(ctx, signature, KM_SIGNATURE_SIZE, text, len) == 1 ? 0 : -EBADMSG;
}

int km_signature_make(const char *pem, size_t pem_len, const void *text, size_t len,
                      uint8_t ret[KM_SIGNATURE_SIZE])
{
	km_autofree(free_context) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	km_autofree(free_key) EVP_PKEY *key = NULL;
	uint8_t made[KM_SIGNATURE_SIZE];
	size_t size = sizeof(made);
	int r = read_key(pem, pem_len, true, &key);

	if (r < 0)
		return r;
	if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, made, &size, text, len) != 1 || size != sizeof(made))
		return -EIO;
	memcpy(ret, made, sizeof(made));
	return 0;
}
