// SPDX-License-Identifier: Apache-2.0
/* OpenSSL is loaded when the first key is: few hosts have one, and each of our processes would pay
 * for what it only links. */
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/signature.h"

#define LIBRARY "libcrypto.so.3"

#define FUNCTIONS(X)               \
	X(BIO_new_mem_buf)         \
	X(BIO_free)                \
	X(PEM_read_bio_PUBKEY)     \
	X(PEM_read_bio_PrivateKey) \
	X(EVP_PKEY_get_base_id)    \
	X(EVP_PKEY_free)           \
	X(EVP_MD_CTX_new)          \
	X(EVP_MD_CTX_free)         \
	X(EVP_DigestVerifyInit)    \
	X(EVP_DigestVerify)        \
	X(EVP_DigestSignInit)      \
	X(EVP_DigestSign)

#define FIELD(name) __typeof__(name) *name;
struct crypto {
	FUNCTIONS(FIELD)
};

#define ROW(name) { #name, offsetof(struct crypto, name) },
static const struct {
	const char *name;
	size_t at;
} functions[] = { FUNCTIONS(ROW) };

struct km_public_key {
	struct crypto crypto;
	EVP_PKEY *key;
};

/* It stays in memory: it has handlers for the process's end. */
static int load(struct crypto *ret)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *f;

	for (size_t i = 0; i < KM_ARRAY_SIZE(functions); i++) {
		f = library ? dlsym(library, functions[i].name) : NULL;
		if (!f)
			return -ELIBACC;
		memcpy((char *)ret + functions[i].at, &f, sizeof(f));
	}
	return 0;
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

static int read_key(const struct crypto *c, const struct km_span *pem, bool private, EVP_PKEY **ret)
{
	BIO *bio = pem->len <= INT32_MAX ? c->BIO_new_mem_buf(pem->data, (int)pem->len) : NULL;
	EVP_PKEY *key;

	if (!bio)
		return -ENOMEM;
	key = private ? c->PEM_read_bio_PrivateKey(bio, NULL, no_phrase, NULL)
	              : c->PEM_read_bio_PUBKEY(bio, NULL, no_phrase, NULL);
	c->BIO_free(bio);
	if (!key || c->EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
		c->EVP_PKEY_free(key);
		return -EBADMSG;
	}
	*ret = key;
	return 0;
}

int km_public_key_new(const char *pem, size_t len, struct km_public_key **ret)
{
	km_autofree(km_public_key_freep) struct km_public_key *k = calloc(1, sizeof(*k));
	int r = k ? load(&k->crypto) : -ENOMEM;

	if (r == 0)
		r = read_key(&k->crypto, &(struct km_span){ pem, len }, false, &k->key);
	if (r == 0)
		*ret = km_take(k);
	return r;
}

struct km_public_key *km_public_key_free(struct km_public_key *k)
{
	if (k && k->key)
		k->crypto.EVP_PKEY_free(k->key);
	free(k);
	return NULL;
}

int km_signature_check(const struct km_public_key *k, const void *text, size_t len,
                       const uint8_t signature[KM_SIGNATURE_SIZE])
{
	const struct crypto *c = &k->crypto;
	EVP_MD_CTX *ctx = c->EVP_MD_CTX_new();
	int r = -EIO;

	if (ctx && c->EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->key) == 1)
		r = c->EVP_DigestVerify(ctx, signature, KM_SIGNATURE_SIZE, text, len) == 1
		            ? 0
		            : -EBADMSG;
	c->EVP_MD_CTX_free(ctx);
	return r;
}

int km_signature_make(const struct km_span *pem, const void *text, size_t len,
                      uint8_t ret[KM_SIGNATURE_SIZE])
{
	uint8_t made[KM_SIGNATURE_SIZE];
	size_t size = sizeof(made);
	EVP_MD_CTX *ctx;
	EVP_PKEY *key = NULL;
	struct crypto c;
	int r = load(&c);

	if (r == 0)
		r = read_key(&c, pem, true, &key);
	if (r < 0)
		return r;
	ctx = c.EVP_MD_CTX_new();
	if (ctx && c.EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    c.EVP_DigestSign(ctx, made, &size, text, len) == 1 && size == sizeof(made))
		memcpy(ret, made, sizeof(made));
	else
		r = -EIO;
	c.EVP_MD_CTX_free(ctx);
	c.EVP_PKEY_free(key);
	return r;
}
