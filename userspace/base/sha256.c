// SPDX-License-Identifier: Apache-2.0
#include <nettle/sha2.h>

#include "base/sha256.h"

_Static_assert(KM_SHA256_SIZE == SHA256_DIGEST_SIZE, "a digest is handed out whole");

void km_sha256(const struct km_span *pieces, size_t count, uint8_t ret[KM_SHA256_SIZE])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	for (size_t i = 0; i < count; i++)
		sha256_update(&ctx, pieces[i].len, pieces[i].data);
	sha256_digest(&ctx, KM_SHA256_SIZE, ret);
}
