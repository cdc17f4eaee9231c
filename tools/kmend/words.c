/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli.h"

static int usage(struct km_cli *cli, const char *what, const char *word)
{
	char text[256], safe[256], remedy[320];

	snprintf(remedy, sizeof(remedy), "usage: %s", km_cli_usage(cli, text, sizeof(text)));
	return km_say(cli, KM_EXIT_USAGE, remedy, "%s %s", what,
	              km_text_escape(word, safe, sizeof(safe)));
}

int km_word_u64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

static struct km_word *find_option(struct km_word *words, const char *arg, size_t len)
{
	for (; words->name; words++)
		if (words->name[0] == '-' && strlen(words->name) == len &&
		    strncmp(words->name, arg, len) == 0)
			return words;
	return NULL;
}

static struct km_word *next_positional(struct km_word *words)
{
	for (; words->name; words++)
		if (words->name[0] != '-' && !words->value)
			return words;
	return NULL;
}

static int add_to_list(struct km_cli *cli, struct km_word *w)
{
	if (w->list->count == KM_WORD_LIST_MAX)
		return usage(cli, "given too often:", w->name);
	w->list->value[w->list->count++] = w->value;
	return 0;
}

/* The option at ARGV[*I], "--limit N" or "--limit=N". */
static int take_option(struct km_cli *cli, struct km_word *words, char **argv, int *i)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	struct km_word *w = find_option(words, arg, equals ? (size_t)(equals - arg) : strlen(arg));

	if (!w)
		return usage(cli, "unknown option", arg);
	if (w->value && w->kind != KM_WORD_LIST)
		return usage(cli, "given twice:", arg);
	if (w->kind == KM_WORD_FLAG) {
		w->value = "";
		return equals ? usage(cli, "takes no value:", w->name) : 0;
	}
	if (equals)
		w->value = equals + 1;
	else if (argv[*i + 1])
		w->value = argv[++*i];
	else
		return usage(cli, "needs a value:", arg);
	return w->kind == KM_WORD_LIST ? add_to_list(cli, w) : 0;
}

static int check(struct km_cli *cli, const struct km_word *words)
{
	for (; words->name; words++) {
		uint64_t v;

		if (!words->value && words->required)
			return usage(cli, "missing:", words->name);
		if (words->value && words->kind == KM_WORD_COUNT &&
		    km_word_u64(words->value, &v) < 0)
			return usage(cli, "not a number:", words->value);
	}
	return 0;
}

int km_words(struct km_cli *cli, int argc, char **argv, struct km_word *words)
{
	bool only_positional = false;
	int r;

	for (int i = 0; i < argc; i++) {
		struct km_word *w;

		if (!only_positional && strcmp(argv[i], "--") == 0) {
			only_positional = true;
		} else if (!only_positional && argv[i][0] == '-' && argv[i][1]) {
			r = take_option(cli, words, argv, &i);
			if (r)
				return r;
		} else {
			w = next_positional(words);
			if (!w)
				return usage(cli, "too much:", argv[i]);
			w->value = argv[i];
		}
	}
	return check(cli, words);
}

const char *km_word(const struct km_word *words, const char *name)
{
	for (; words->name; words++)
		if (strcmp(words->name, name) == 0)
			return words->value;
	return NULL;
}

bool km_word_given(char **argv, const char *option)
{
	size_t len = strlen(option);

	for (; *argv; argv++)
		if (strncmp(*argv, option, len) == 0 && ((*argv)[len] == '=' || !(*argv)[len]))
			return true;
	return false;
}
