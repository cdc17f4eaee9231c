/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that compile a rule share; nothing outside this folder includes it. */
#ifndef KM_COMPILE_H
#define KM_COMPILE_H

#include "match/rule.h"

/* Words of a rule while they are compiled. */
struct km_compile_words {
	char id[KM_NAME_MAX], file[KM_NAME_MAX], rule_class[KM_NAME_MAX], owner[4 * KM_NAME_MAX];
	char summary[4 * KM_RULE_TEXT_MAX], why[4 * KM_RULE_TEXT_MAX];
};

/* One rule while it is compiled: RULE points into the parts behind it, which are as large as a rule
 * may be; km_compile_pack() makes it as large as it is. DOC is owned by the caller of the parts. */
struct km_compile {
	const struct km_rule_text *in;
	const struct km_json *doc;
	struct km_error *err;
	struct km_rule rule;
	struct km_compile_words words;
	struct km_cond when[KM_CONDITIONS_MAX], unless[KM_CONDITIONS_MAX];
	struct km_step plan[KM_STEPS_MAX];
};

/* The rule in one block of its own, which takes over its lists; -ENOMEM. */
int km_compile_pack(struct km_compile *c, struct km_rule **ret);

/* Each takes the value of the member of its name; 0 or -EBADMSG with *c->err. */
int km_compile_scope(struct km_compile *c, const cJSON *node);
int km_compile_references(struct km_compile *c, const cJSON *node);
/* The whole tree below NODE into TREE[KM_CONDITIONS_MAX]. */
int km_compile_condition(struct km_compile *c, const cJSON *node, struct km_cond *tree);
/* A condition that looks at something: the value of its one member. */
enum km_leaf {
	KM_LEAF_FORECAST,
	KM_LEAF_EVENT,
	KM_LEAF_STATE,
	KM_LEAF_LEVEL,
	KM_LEAF_INCIDENT,
	KM_LEAF_ENDPOINT,
	KM_LEAF_TEXT,
	KM_LEAF_DEPLOYED,
	KM_LEAF_MAX
};
int km_compile_leaf(struct km_compile *c, enum km_leaf leaf, const cJSON *obj, struct km_cond *ret);
/* The leaf "endpoint", endpoint.c. */
int km_compile_endpoint(struct km_compile *c, const cJSON *obj, struct km_cond *ret);
/* The leaf "text", text.c. */
int km_compile_text(struct km_compile *c, const cJSON *obj, struct km_cond *ret);
/* NODE is a resource that some signal of the catalogue measures; -EBADMSG. */
int km_compile_resource(struct km_compile *c, const cJSON *node, int resource);
int km_compile_plan(struct km_compile *c, const cJSON *node);
/* Members of a step that some verbs take; each exactly where its verb takes it. */
#define KM_STEP_ARGUMENTS                                                                      \
	{                                                                                      \
		"signal", "limit", "to", "of", "files", "command", "for", "endpoint", "share", \
			"when_kmend_stops", "on_failure"                                       \
	}
int km_compile_step_args(struct km_compile *c, const cJSON *obj, struct km_step *s);
int km_compile_verify(struct km_compile *c, const cJSON *node);
int km_compile_guard(struct km_compile *c, const cJSON *node);

/* What a level is compared with: a share of its limit, or in its own unit. */
struct km_quantity {
	double value;
	bool share;
};
/* What it is compared with: its unit as the catalogue has it, and whether it has a limit. */
struct km_measured {
	const char *unit;
	bool limited;
};
int km_compile_quantity(struct km_compile *c, const cJSON *node, const struct km_measured *what,
                        struct km_quantity *ret);

/* Tells the listener, if there is one. Position as km_json_fail() has it. */
void km_compile_warn(struct km_compile *c, const cJSON *node, const char *remedy, const char *what);
/* What is valid and yet probably not meant; ROOT is the rule's object. */
void km_compile_warnings(struct km_compile *c, const cJSON *root);

/* Characters of S, which the JSON reader knows to be UTF-8. */
size_t km_compile_characters(const char *s);

/* Strings of ARRAY into a NULL-terminated list: 1 to MAX of them, each of 1 to KM_NAME_MAX - 1
 * characters, no two the same. WHAT names one of them in messages. */
int km_compile_strings(struct km_compile *c, const cJSON *array, size_t max, const char *what,
                       char ***ret);
char **km_compile_free_strings(char **list);
void km_compile_free_lists(struct km_rule *r);
/* TREE[COUNT], of which a part may not be in use yet. */
void km_compile_free_patterns(const struct km_cond *tree, unsigned int count);
KM_DEFINE_FREEP(char *, km_compile_free_strings)

/* True if any node of TREE has this op. */
bool km_cond_has(const struct km_cond *tree, enum km_cond_op op);

#endif
