// SPDX-License-Identifier: Apache-2.0
/* The functions below the EVP layer: that one fetches providers and reads a configuration, which
 * takes each process 2 MiB, and each digest longer than the digest itself. */
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#include "base/sha256.h"

_Static_assert(KM_SHA256_SIZE == SHA256_DIGEST_LENGTH, "a digest is handed out whole");

int km_sha256(const struct km_span *pieces, size_t count, uint8_t ret[KM_SHA256_SIZE])
{
	uint8_t digest[KM_SHA256_SIZE];
	SHA256_CTX ctx;
	size_t i;

	if (SHA256_Init(&ctx) != 1)
		return -EIO;
	for (i = 0; i < count; i++)
		if (SHA256_Update(&ctx, pieces[i].data, pieces[i].len) != 1)
			return -EIO;
	if (SHA256_Final(digest, &ctx) != 1)
		return -EIO;
	memcpy(ret, digest, sizeof(digest));
	return 0;
}
