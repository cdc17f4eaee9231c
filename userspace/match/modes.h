/* SPDX-License-Identifier: Apache-2.0 */
/* policy/modes.json: rules that were promoted or demoted, by whom and why. It lies beside the
 * rules, is trusted as they are, and is written by `kmend rule promote` and `demote`.
 *
 * An entry holds for the text whose digest it names, which is the one that was tested. For any
 * other text under that id it can only lower the mode. */
#ifndef KM_MODES_H
#define KM_MODES_H

#include "match/rule.h"

#define KM_MODES_FILE "policy/modes.json"

struct km_mode_entry {
	char id[KM_NAME_MAX];
	enum km_mode mode;
	uint8_t digest[32]; /* SHA-256 of the rule's text */
	uint64_t at_s;      /* when, seconds since 1970 */
	char by[KM_NAME_MAX];
	char why[KM_RULE_TEXT_MAX];
};

struct km_modes {
	struct km_mode_entry *entry; /* sorted by id, owned */
	size_t count;
};

/* -EBADMSG with *ERR: not such a file, or two entries for one rule. */
int km_modes_compile(const char *text, size_t len, const char *file, struct km_error *err,
                     struct km_modes **ret);
struct km_modes *km_modes_free(struct km_modes *m);
KM_DEFINE_FREEP(struct km_modes, km_modes_free)

/* NULL if there is none. M may be NULL. */
const struct km_mode_entry *km_modes_get(const struct km_modes *m, const char *id);
/* The mode of R in force under M. */
enum km_mode km_modes_of(const struct km_modes *m, const struct km_rule *r);
/* Gives each of RULES[COUNT] the mode in force. M may be NULL: all keep the one of their text. */
void km_modes_apply(const struct km_modes *m, struct km_rule *const *rules, size_t count);
/* The whole file. */
void km_modes_write(const struct km_modes *m, struct km_json_writer *w);

#endif
