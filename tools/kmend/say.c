/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "base/text.h"
#include "cli.h"

static const char *const codes[] = {
	[KM_EXIT_DONE] = "done",
	[KM_EXIT_FAILED] = "failed",
	[KM_EXIT_USAGE] = "usage",
	[KM_EXIT_UNREACHABLE] = "unreachable",
};

static void say_json(struct km_cli *cli, enum km_exit code, const char *what, const char *remedy)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;

	if (km_buf_new(KM_JSON_BYTES_MAX, &out) < 0)
		return;
	km_jw_init(&w, out, cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_kstring(&w, "error", what);
	km_jw_kstring(&w, "remedy", remedy);
	km_jw_kstring(&w, "code", codes[code]);
	km_jw_end_object(&w);
	fprintf(cli->out, "%s\n", km_buf_text(out));
}

int km_say(struct km_cli *cli, enum km_exit code, const char *remedy, const char *fmt, ...)
{
	char what[1024], safe[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (cli->format != KM_PLAIN) {
		say_json(cli, code, what, remedy);
		return code;
	}
	fprintf(cli->err, "kmend: %s\n", km_text_escape(what, safe, sizeof(safe)));
	if (remedy && remedy[0])
		fprintf(cli->err, "       %s\n", km_text_escape(remedy, safe, sizeof(safe)));
	return code;
}

int km_print_json(struct km_cli *cli, const cJSON *node)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;

	/* Escapes may make it longer than what was read, and indentation does. */
	if (km_buf_new(16 * KM_JSON_BYTES_MAX, &out) < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "out of memory");
	km_jw_init(&w, out, cli->format == KM_PRETTY);
	km_jw_node(&w, node);
	if (km_buf_error(out) < 0)
		return km_say(cli, KM_EXIT_FAILED, "use -j", "the answer is too long");
	fwrite(km_buf_text(out), 1, out->len, cli->out);
	fputc('\n', cli->out);
	return KM_EXIT_DONE;
}
