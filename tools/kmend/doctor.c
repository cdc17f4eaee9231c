/* SPDX-License-Identifier: Apache-2.0 */
/* Offline: needs neither root nor a daemon, and says what it could not look at. */
#include "base/text.h"
#include "cli.h"
#include "collect/collect.h"

static const char *const states[] = {
	[KM_FOUND_GOOD] = "good",
	[KM_FOUND_LIMITED] = "limited",
	[KM_FOUND_MISSING] = "missing",
	[KM_FOUND_NOT_LOOKED] = "not looked",
};

static void find_daemon(struct km_cli *cli, struct km_finding *f)
{
	const struct km_request_opts o = { .object = "status", .command = "show", .quiet = true };
	int r = km_request(cli, &o, NULL);

	km_copy(f->what, sizeof(f->what), "kmendd");
	f->state = r == KM_EXIT_DONE ? KM_FOUND_GOOD
	                             : (r == KM_EXIT_FAILED ? KM_FOUND_LIMITED : KM_FOUND_MISSING);
	snprintf(f->detail, sizeof(f->detail), "%s at %.200s",
	         r == KM_EXIT_DONE     ? "answers"
	         : r == KM_EXIT_FAILED ? "is there and refuses you"
	                               : "does not answer",
	         cli->socket);
	km_copy(f->remedy, sizeof(f->remedy),
	        r == KM_EXIT_DONE ? ""
	        : r == KM_EXIT_FAILED
	                ? "run it as root, or join the group kmend"
	                : "start it: systemctl start kmendd, or: kmendd --foreground");
}

static void print_plain(struct km_cli *cli, const struct km_finding *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char what[128], text[1024];

		fprintf(cli->out, "%-10s  %-12s  %s\n", states[f[i].state],
		        km_text_escape(f[i].what, what, sizeof(what)),
		        km_text_escape(f[i].detail, text, sizeof(text)));
		if (f[i].remedy[0] && f[i].state != KM_FOUND_GOOD)
			fprintf(cli->out, "%26s%s\n", "",
			        km_text_escape(f[i].remedy, text, sizeof(text)));
	}
}

static int print_json(struct km_cli *cli, const struct km_finding *f, size_t n)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;

	if (km_buf_new(KM_JSON_BYTES_MAX, &out) < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "out of memory");
	km_jw_init(&w, out, cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_key(&w, "findings");
	km_jw_array(&w);
	for (size_t i = 0; i < n; i++) {
		km_jw_object(&w);
		km_jw_kstring(&w, "what", f[i].what);
		km_jw_kstring(&w, "state", states[f[i].state]);
		km_jw_kstring(&w, "detail", f[i].detail);
		km_jw_kstring(&w, "remedy", f[i].remedy[0] ? f[i].remedy : NULL);
		km_jw_end_object(&w);
	}
	km_jw_end_array(&w);
	km_jw_end_object(&w);
	fprintf(cli->out, "%s\n", km_buf_text(out));
	return KM_EXIT_DONE;
}

static int doctor(struct km_cli *cli, int argc, char **argv)
{
	struct km_finding f[KM_FINDINGS_MAX + 1];
	struct km_word words[] = { { 0 } };
	size_t n;
	int r;

	r = km_words(cli, argc, argv, words);
	if (r)
		return r;
	memset(f, 0, sizeof(f));
	n = km_collect_doctor(f, KM_FINDINGS_MAX);
	find_daemon(cli, &f[n++]);
	if (cli->format != KM_PLAIN)
		return print_json(cli, f, n);
	print_plain(cli, f, n);
	return KM_EXIT_DONE;
}

const struct km_cmd km_doctor_cmds[] = {
	{ "", doctor, "", "kernel, rights, mounts, daemon: what is there, and what to do" },
	{ 0 },
};
