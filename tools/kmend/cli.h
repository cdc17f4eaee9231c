/* SPDX-License-Identifier: Apache-2.0 */
/* kmend, the inspection command: one table per object, one function per command.
 *
 * A command parses its words with a table (struct km_word), asks the daemon, and renders the
 * answer: the same JSON document is printed as it is (-j, -p) or through a table of columns. */
#ifndef KM_CLI_H
#define KM_CLI_H

#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"

#define KM_CLI_SOCKET    "/run/kmend/control.sock"
#define KM_CLI_CONFIG    "/etc/kmend/kmend.json"
#define KM_CLI_RULES     "/etc/kmend/rules"
#define KM_CLI_STATE_DIR "/var/lib/kmend"
#define KM_CLI_VERSION   "0.1.0"
/* A command that is not a stream hears nothing for so long: the daemon hangs or is stopped. */
#define KM_CLI_TIMEOUT_MS 5000

enum km_exit { KM_EXIT_DONE = 0, KM_EXIT_FAILED = 1, KM_EXIT_USAGE = 2, KM_EXIT_UNREACHABLE = 3 };

enum km_cli_format { KM_PLAIN = 0, KM_COMPACT, KM_PRETTY };

struct km_cmd;

struct km_cli {
	enum km_cli_format format;
	const char *socket;
	const struct km_cmd *cmd; /* under way, for its usage; may be NULL */
	const char *object;       /* as given, for messages */
	const char *command;      /* "" for an object that is its own command */
	FILE *out;                /* results */
	FILE *err;                /* what went wrong, and progress */
};

/* Returns an exit code. ARGV holds the words behind OBJECT COMMAND. */
typedef int (*km_cli_run)(struct km_cli *cli, int argc, char **argv);

struct km_cmd {
	const char *name; /* NULL ends a table; "" if the object is its own command */
	km_cli_run run;
	const char *args;
	const char *help;
};

struct km_object {
	const char *name;
	const struct km_cmd *cmds;
	const char *help;
};

/* One table a noun, in the file of that name. */
extern const struct km_cmd km_status_cmds[], km_pause_cmds[], km_resume_cmds[], km_service_cmds[],
	km_endpoint_cmds[], km_signal_cmds[], km_forecast_cmds[], km_rule_cmds[], km_action_cmds[],
	km_incident_cmds[], km_trace_cmds[], km_replay_cmds[], km_history_cmds[], km_bpf_cmds[],
	km_audit_cmds[], km_doctor_cmds[];

extern const struct km_object km_objects[]; /* NULL-name-terminated, in the order of the help */

/* help.c */
int km_cli_help(struct km_cli *cli, const struct km_object *only);
/* "kmend service list [--limit N]" of the command under way into OUT. Returns OUT. */
const char *km_cli_usage(const struct km_cli *cli, char *out, size_t size);

/* Words of one command: positional ones in order, options ("--limit") anywhere. Values become
 * members of the request's args, under NAME without its dashes. */
enum km_word_kind { KM_WORD_STRING = 0, KM_WORD_COUNT, KM_WORD_FLAG, KM_WORD_LIST };

/* An option that may be given more than once; a limit for each of so many columns. */
#define KM_WORD_LIST_MAX 256

struct km_word_list {
	const char *value[KM_WORD_LIST_MAX];
	size_t count;
};

struct km_word {
	const char *name; /* NULL ends the table */
	enum km_word_kind kind;
	bool required;
	bool local;                /* not sent to the daemon */
	struct km_word_list *list; /* KM_WORD_LIST only: the caller's */
	const char *value; /* filled in by km_words(): the text (of a list the last), NULL if
	                      absent, "" for a flag */
};

#define KM_WORDS_MAX 8

/* Fills in WORDS[].value. 0, or KM_EXIT_USAGE with the reason and the usage said. */
int km_words(struct km_cli *cli, int argc, char **argv, struct km_word *words);
/* Value of the word, or NULL. */
const char *km_word(const struct km_word *words, const char *name);
/* OPTION is among the words, with or without "=VALUE". */
bool km_word_given(char **argv, const char *option);
/* All digits, no sign, fits: 0 or -EINVAL. */
int km_word_u64(const char *s, uint64_t *ret);

/* request.c: one request, one answer. Callbacks return 0 or an exit code that ends the exchange.
 * *RET_END is the END body, strictly parsed, the caller's; it may be NULL if not wanted. Returns an
 * exit code; what went wrong has been said. */
struct km_request_opts {
	const char *object;
	const char *command;
	const struct km_word *words; /* NULL: no args */
	int (*item)(void *userdata, const struct km_json *item);
	int (*data)(void *userdata, const void *data, size_t len);
	void *userdata;
	bool stream;     /* no time-out between frames */
	const int *stop; /* a signalfd or the like that ends a stream when readable; NULL: none */
	bool *stopped;   /* with STOP: set if that happened (return value KM_EXIT_DONE) */
	bool quiet;      /* say nothing, only return the code (doctor) */
};
int km_request(struct km_cli *cli, const struct km_request_opts *o, struct km_json **ret_end);

/* say.c: "kmend: what" and "  remedy" on stderr or, with -j or -p, one JSON object with error,
 * remedy and code on stdout. Returns CODE. REMEDY may be NULL. */
int km_say(struct km_cli *cli, enum km_exit code, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* NODE as -j or -p asks, and a newline. */
int km_print_json(struct km_cli *cli, const cJSON *node);

/* render.c: tables and lists of one JSON document. */
enum km_cell_kind {
	KM_CELL_TEXT = 0, /* string, number, bool; null and absent: "-" */
	KM_CELL_BYTES,
	KM_CELL_SECONDS,  /* "1h03m" */
	KM_CELL_NS,       /* "1h03m" */
	KM_CELL_TIME,     /* milliseconds since 1970: local time */
	KM_CELL_PERCENT,  /* 0..1 */
	KM_CELL_YES,      /* bool: "yes", else "-" */
	KM_CELL_LEVEL,    /* object {level, limit, unit}: "12.0 MiB/64.0 MiB" */
	KM_CELL_FORECAST, /* forecast object: "memory in 3m10s (2m50s to 3m40s)" */
	KM_CELL_LIST,     /* array of strings: "a, b" */
	KM_CELL_PID,      /* 0: "-" */
};

struct km_column {
	const char *title; /* NULL ends the table */
	const char *path;  /* members joined by dots */
	enum km_cell_kind kind;
};

/* One cell, escaped, into OUT (dropped at its end if longer). Returns OUT. */
const char *km_cell(const cJSON *node, const struct km_column *c, char *out, size_t size);
const cJSON *km_path(const cJSON *node, const char *path);
/* ARRAY as a table with aligned columns; NONE is printed when it is empty. */
void km_print_table(struct km_cli *cli, const cJSON *array, const struct km_column *columns,
                    const char *none);
/* "title  value" lines; what is absent, empty or "-" is left out. */
void km_print_list(struct km_cli *cli, const cJSON *node, const struct km_column *rows);

/* ask.c: most commands: words, one request, one table or list. */
struct km_ask {
	const char *object;
	const char *command;
	struct km_word words[KM_WORDS_MAX];
	const char *array;               /* member that is a table, NULL: none */
	const struct km_column *columns; /* of it */
	const char *none;                /* printed if the table is empty */
	const struct km_column *rows;    /* of the document itself, before the table; may be NULL */
	void (*plain)(struct km_cli *cli, const cJSON *end); /* or instead of both */
};
int km_ask(struct km_cli *cli, int argc, char **argv, const struct km_ask *ask);

#endif
