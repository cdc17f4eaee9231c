// SPDX-License-Identifier: Apache-2.0
#include "daemon/signing.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/signature.h"

/* A public key is a line of text between two others. */
#define KEY_BYTES_MAX 4096

struct km_signing {
	struct km_public_key *key;
	bool required;
};

struct km_signing *km_signing_free(struct km_signing *s)
{
	if (!s)
		return NULL;
	km_public_key_free(s->key);
	free(s);
	return NULL;
}

static int fail(struct km_error *err, const char *file, const char *remedy, const char *what)
{
	memset(err, 0, sizeof(*err));
	km_copy(err->file, sizeof(err->file), file);
	err->line = 1;
	err->column = 1;
	km_copy(err->what, sizeof(err->what), what);
	km_copy(err->remedy, sizeof(err->remedy), remedy);
	return -EBADMSG;
}

static int read_key(const char *path, struct km_error *err, struct km_public_key **ret)
{
	km_autofree(km_buf_freep) struct km_buf *pem = NULL;
	int r = km_fs_read_trusted(AT_FDCWD, path, KEY_BYTES_MAX, err, &pem);

	if (r < 0)
		return r;
	r = km_public_key_new(km_buf_text(pem), pem->len, ret);
	if (r == -ELIBACC)
		return fail(err, path, KM_SIGNATURE_REMEDY, KM_SIGNATURE_MISSING);
	return r == -EBADMSG ? fail(err, path, "openssl pkey -in PRIVATE -pubout",
	                            "this is no public key of ed25519")
	                     : r;
}

int km_signing_new(int dir_fd, struct km_error *err, struct km_signing **ret)
{
	static const char *const file = "policy/guardrails.json";
	km_autofree(km_signing_freep) struct km_signing *s = NULL;
	km_autofree(km_policy_freep) struct km_policy *policy = NULL;
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	int r = km_fs_read_trusted(dir_fd, file, KM_CONFIG_BYTES_MAX, err, &text);

	if (r == -ENOENT) {
		*err = (struct km_error){ 0 };
		*ret = NULL;
		return 0;
	}
	if (r == 0)
		r = km_policy_compile(km_buf_text(text), text->len, file, err, &policy);
	if (r < 0)
		return r;
	if (!policy || !policy->signature_key[0]) {
		*ret = NULL;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->required = policy->signature_required;
	r = read_key(policy->signature_key, err, &s->key);
	if (r < 0)
		return r;
	*ret = km_take(s);
	return 0;
}

int km_signing_check(const struct km_signing *s, int dir_fd, const char *file,
                     const struct km_span *text, struct km_error *err)
{
	km_autofree(km_buf_freep) struct km_buf *signature = NULL;
	char path[KM_PATH_MAX + 4];
	int r;

	if (!s)
		return 0;
	snprintf(path, sizeof(path), "%s.sig", file);
	r = km_fs_read_trusted(dir_fd, path, KM_SIGNATURE_SIZE, err, &signature);
	if (r == -ENOENT && !s->required)
		return 0;
	if (r == -ENOENT)
		return fail(err, file, "kmend rule sign KEY FILE",
		            "the policy requires a signature, and there is none");
	if (r < 0 && r != -EFBIG)
		return r;
	if (r < 0 || signature->len != KM_SIGNATURE_SIZE ||
	    km_signature_check(s->key, text->data, text->len, (const uint8_t *)signature->data) < 0)
		return fail(err, file, "look at what was changed, then sign it anew",
		            "its signature is not that of this text");
	return 0;
}
