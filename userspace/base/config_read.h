/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that compile the configuration share; nobody else includes it. */
#ifndef KM_CONFIG_READ_H
#define KM_CONFIG_READ_H

#include "base/config.h"

/* One text being read. */
struct km_config_reader {
	struct km_json *doc; /* owned by the compile */
	const char *file;
	struct km_error *err;
	unsigned int number; /* of the instance that is read, from 1 */
};

/* Where a service of the configuration was written. */
struct km_config_place {
	size_t index; /* in config->services before it is sorted */
	const cJSON *node;
	const struct km_config_reader *reader;
};

/* A compile of all texts. */
struct km_config_build {
	struct km_config *config;
	struct km_config_place *place; /* one a service */
	size_t room;                   /* of both */
	size_t checks;                 /* of all services so far */
};

/* NULL, or what is wrong with it as a clause: letters, digits and . _ @ : -. */
const char *km_config_name_fault(const char *s);
const char *km_config_user_fault(const char *s);
const char *km_config_path_fault(const char *s);
/* A path that is not / itself. */
const char *km_config_program_fault(const char *s);
/* Of what finds a service; not for KM_BY_COMMAND. */
const char *km_config_match_fault(enum km_service_kind kind, const char *s);
/* "%i" in TEXT becomes NUMBER; -ENAMETOOLONG. */
int km_config_put_number(char *text, size_t size, unsigned int number);
/* The value of KEY of OBJ is checked by FAULT if it is there, as this instance has it. */
int km_config_check_text(const struct km_config_reader *c, const cJSON *obj, const char *key,
                         const char *(*fault)(const char *s));
/* The 1 to COUNT_MAX strings of LIST, each of less than SIZE bytes, NULL-terminated, into *RET,
 * which is the caller's also on failure. WHAT one of them is, for messages. */
struct km_config_strings {
	const char *key, *what;
	int count_max;
	size_t size;
};
int km_config_read_strings(const struct km_config_reader *c, const cJSON *list,
                           const struct km_config_strings *s, char ***ret);
char **km_config_free_strings(char **s);

/* config_service.c: instance C->number of what OBJ defines; *INSTANCES: how many there are.
 * DEF is zeroed and owned by the configuration, also on failure. */
int km_config_read_service(const struct km_config_reader *c, const cJSON *obj,
                           struct km_service_def *def, unsigned int *instances);

/* config_health.c: into DEF, whose kind is known. */
int km_config_read_checks(const struct km_config_reader *c, const cJSON *list,
                          struct km_service_def *def);
/* config_endpoint.c: into DEF, whose checks are known. */
int km_config_read_endpoints(const struct km_config_reader *c, const cJSON *list,
                             struct km_service_def *def);

/* config_set.c: what only the whole set can be asked. */
int km_config_check_doubles(const struct km_config_build *b);
/* Sorts the services by name and counts the instances of groups. */
int km_config_sort(struct km_config_build *b);
/* Names in "needs" become places; cycles are refused. After km_config_sort(). */
int km_config_link_needs(struct km_config_build *b);

#endif
