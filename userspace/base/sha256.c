// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>

#include "base/sha256.h"

static void free_context(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

int km_sha256(const struct km_span *pieces, size_t count, uint8_t ret[KM_SHA256_SIZE])
{
	km_autofree(free_context) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t digest[KM_SHA256_SIZE];
	size_t i;

	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return -EIO;
	for (i = 0; i < count; i++)
		if (EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) != 1)
			return -EIO;
	if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
		return -EIO;
	memcpy(ret, digest, sizeof(digest));
	return 0;
}
