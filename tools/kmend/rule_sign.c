/* SPDX-License-Identifier: Apache-2.0 */
/* kmend rule sign KEY FILE...: writes FILE.sig with a private key; with the public one says whether
 * it is right. */
#include "rule_sign.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/signature.h"

/* A key is some lines of text. */
#define KEY_BYTES_MAX 16384

static int read_whole(struct km_cli *cli, const char *path, size_t max, struct km_buf **ret)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t n;

	if (!f)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s: %s", path, strerror(errno));
	if (km_buf_new(max, &b) == 0)
		while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
			km_buf_add(b, piece, n);
	fclose(f);
	if (!b || km_buf_error(b) < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s: too long, or no memory", path);
	*ret = km_take(b);
	return KM_EXIT_DONE;
}

/* A reader sees the old signature or the new one. */
static int write_signature(struct km_cli *cli, const char *path, const uint8_t *signature)
{
	char name[KM_PATH_MAX + 8], temporary[KM_PATH_MAX + 16];
	km_autoclose int fd = -1;

	snprintf(name, sizeof(name), "%.*s.sig", KM_PATH_MAX, path);
	snprintf(temporary, sizeof(temporary), "%s.new", name);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, signature, KM_SIGNATURE_SIZE) != KM_SIGNATURE_SIZE ||
	    rename(temporary, name) < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s: %s", name, strerror(errno));
	fprintf(cli->out, "%s\n", name);
	return KM_EXIT_DONE;
}

static int sign(struct km_cli *cli, struct km_buf *key, const char *path)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	uint8_t signature[KM_SIGNATURE_SIZE];
	int code = read_whole(cli, path, KM_JSON_BYTES_MAX, &text), r;

	if (code)
		return code;
	r = km_signature_make(&(struct km_span){ km_buf_text(key), key->len }, text->data,
	                      text->len, signature);
	if (r == -ELIBACC)
		return km_say(cli, KM_EXIT_FAILED, KM_SIGNATURE_REMEDY, KM_SIGNATURE_MISSING);
	if (r < 0)
		return km_say(cli, KM_EXIT_FAILED, "openssl genpkey -algorithm ed25519",
		              "the key is no private key of ed25519");
	return write_signature(cli, path, signature);
}

static int verify(struct km_cli *cli, const struct km_public_key *key, const char *path)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	km_autofree(km_buf_freep) struct km_buf *signature = NULL;
	char name[KM_PATH_MAX + 8];
	int code = read_whole(cli, path, KM_JSON_BYTES_MAX, &text);

	snprintf(name, sizeof(name), "%.*s.sig", KM_PATH_MAX, path);
	if (!code)
		code = read_whole(cli, name, KEY_BYTES_MAX, &signature);
	if (code)
		return code;
	if (signature->len != KM_SIGNATURE_SIZE ||
	    km_signature_check(key, text->data, text->len, (const uint8_t *)signature->data) < 0)
		return km_say(cli, KM_EXIT_FAILED, "look at what was changed, then sign it anew",
		              "%s: its signature is not that of this text", path);
	fprintf(cli->out, "%s is signed with this key\n", path);
	return KM_EXIT_DONE;
}

int km_rule_sign(struct km_cli *cli, int argc, char **argv)
{
	km_autofree(km_buf_freep) struct km_buf *pem = NULL;
	km_autofree(km_public_key_freep) struct km_public_key *public = NULL;
	char usage[128], remedy[160];
	int code;

	if (argc < 2 || argv[0][0] == '-') {
		snprintf(remedy, sizeof(remedy), "usage: %s",
		         km_cli_usage(cli, usage, sizeof(usage)));
		return km_say(cli, KM_EXIT_USAGE, remedy, "which key, and which rules?");
	}
	code = read_whole(cli, argv[0], KEY_BYTES_MAX, &pem);
	if (code)
		return code;
	km_public_key_new(km_buf_text(pem), pem->len, &public);
	for (int i = 1; i < argc; i++) {
		int one = public ? verify(cli, public, argv[i]) : sign(cli, pem, argv[i]);

		code = code ?: one;
	}
	return code;
}
