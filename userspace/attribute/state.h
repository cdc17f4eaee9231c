/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of phase 3: the rows of its tables and what its files do for one another. */
#ifndef KM_ATTRIBUTE_STATE_H
#define KM_ATTRIBUTE_STATE_H

#include "base/text.h"
#include "attribute/attribute.h"

/* Of what is no service: a quarter of the table, so that peers cannot crowd out services. */
#define KM_OTHERS_MAX (KM_SERVICES_MAX / 4)
/* Endpoints with standbys: one for every fourth service. */
#define KM_ENDPOINT_ROWS_MAX (KM_SERVICES_MAX / 4)
/* Cgroups of one host: a large Kubernetes node has some thousands. */
#define KM_CGROUPS_MAX 8192
/* Processes that ended lately: in a fork storm those of no service go first. */
#define KM_ENDED_MAX 4096
/* How long they are kept: longer than any late evidence, and as owns() promises. */
#define KM_ENDED_KEPT_NS (60 * KM_NS_PER_S)
#define KM_ENDED_HOST_NS (5 * KM_NS_PER_S)
/* What the main process's end says of its service stays true while the rest is still going. */
#define KM_MAIN_END_NS (30 * KM_NS_PER_S)
/* A signal that was caught explains a clean exit only for as long as a stop usually takes. */
#define KM_SIGNAL_KEPT_NS (90 * KM_NS_PER_S)
/* A service that nobody defined is forgotten so long after its end. */
#define KM_FORGET_NS (3600 * KM_NS_PER_S)
/* Whole sampling passes without a process before it counts as gone. */
#define KM_PASSES_MISSED 2
/* Executables that one main process runs one after the other: a wrapper or two, what they prepare,
 * and the program. */
#define KM_IMAGES_MAX 4

/* A file that a main process ran; name 0: none. */
struct km_image {
	uint32_t name;    /* hash of the last part of its path */
	uint32_t version; /* kmend_image() */
};

struct km_service_row {
	struct km_service pub;   /* first: its id is the key */
	uint64_t expect_from_ns; /* an end is asked for: of a life that began before this */
	uint64_t expect_until_ns;
	struct km_ending end; /* of the process whose end will be the service's */
	uint64_t next_start_ns;
	uint32_t next_tgid; /* main process to come once the old life's end has been said */
	uint32_t end_is_main;
	uint64_t seen_ns;   /* newest value of what is no service */
	uint32_t stillborn; /* its main process was over before it was heard of */
	uint32_t dirty;     /* its state may have to change: km_service_settle() */
	struct km_image image[KM_IMAGES_MAX]; /* newest first */
};

struct km_cgroup_row {
	uint64_t id;
	uint64_t service_id; /* 0: the host's */
	uint64_t bound_id;   /* supervised command, by its outcome; wins over the path */
	char path[KM_PATH_MAX];
};

struct km_process_row {
	uint64_t tgid;
	uint64_t start_ns;
	uint64_t service_id;
	uint64_t cgroup_id;
	uint64_t bound_id;  /* service by pidfile or outcome; children inherit a pidfile's */
	uint64_t path_hash; /* of the executable, 0 not known */
	uint64_t signal_ns; /* when the signal below was sent */
	uint32_t signal;
	uint32_t sender_tgid;
	uint32_t sender_uid;
	char sender_comm[KMEND_COMM_LEN];
	uint32_t ppid;
	uint32_t oom;
	uint32_t pass;         /* in which it was seen last */
	uint32_t missed;       /* whole passes without it since */
	uint32_t looked;       /* 1: use is of an earlier look */
	struct km_use use;     /* in all, as of the last look */
	uint64_t sender;       /* enum km_sender, of the signal above */
	struct km_image image; /* that it executed itself, or its parent in a pidfile's service */
};

struct km_ended_row {
	uint64_t tgid;
	uint64_t service_id;
	struct km_ending end;
};

/* One row: what belongs to no single service. */
struct km_attribute_misc {
	uint64_t key; /* 1 */
	uint64_t now_ns;
	uint64_t refused; /* rows that found no place */
	uint32_t pass;    /* sampling passes so far */
	uint32_t tasks;   /* samples in this pass */
	uint32_t dirty;   /* services that are */
	uint32_t others;  /* rows of the table of services that are none */
	uint32_t partial; /* 1: in this pass only those are listed that ran */
	uint32_t pad;
};

/* Definitions by executable, so that an exec needs no look at all of them. Made anew from the
 * configuration, never saved. */
struct km_executable {
	uint64_t path_hash;
	uint64_t service_id;
};

struct km_attribute {
	struct km_table *services;
	struct km_table *cgroups;
	struct km_table *processes;
	struct km_table *ended;
	struct km_table *misc;
	struct km_attribute_misc *misc_row; /* its one row; NULL: not asked for yet */
	struct km_table *checks;
	struct km_table *endpoints;
	const struct km_config *config; /* the caller's, may be NULL */
	struct km_executable *executables;
	size_t executable_count;
};

/* Whose a cgroup path is. */
struct km_owner {
	uint64_t id; /* 0: the host's */
	uint32_t kind;
	uint32_t defined;
	char name[KM_NAME_MAX];
};

/* tables.c */
struct km_attribute_misc *km_attribute_misc(struct km_attribute *a);
int km_attribute_tables_new(struct km_attribute *a);

/* resolve.c: pure */
uint64_t km_service_id(uint32_t kind, const char *name);
uint64_t km_path_hash(const char *path);
void km_resolve_path(const struct km_config *c, const char *path, struct km_owner *ret);

/* cgroup.c */
void km_cgroup_seen(struct km_attribute *a, uint64_t id, const char *path);
void km_cgroup_gone(struct km_attribute *a, uint64_t id);
/* Supervised command: this cgroup, known by path or not, is S's. */
void km_cgroup_bind(struct km_attribute *a, uint64_t id, struct km_service_row *s);
/* Looks at every cgroup again: the definitions changed. */
void km_cgroup_resolve_all(struct km_attribute *a);
/* Service of the cgroup, made if it is a discovered one with its first process; NULL: none. */
struct km_service_row *km_cgroup_service(struct km_attribute *a, uint64_t id, bool make);

/* process.c */
struct km_process_seen {
	uint64_t t_ns;
	uint64_t cgroup_id;
	uint64_t start_ns;
	uint32_t tgid;
	uint32_t ppid;
	const char *path; /* NULL: not said */
	uint32_t image;   /* ... and its version, 0: not known */
	bool fresh;       /* just forked or executed, not found */
	bool born;        /* forked: whatever else was said of it was later */
};

/* Makes or updates its row and its place in a service. NULL: it is over already, or no room. */
struct km_process_row *km_process_see(struct km_attribute *a, const struct km_process_seen *seen);
struct km_process_row *km_process_find(const struct km_attribute *a, uint32_t tgid,
                                       uint64_t start_ns);
struct km_ended_row *km_process_find_ended(const struct km_attribute *a, uint32_t tgid,
                                           uint64_t start_ns);
/* STATUS as wait(2), -1 not known. The row is gone afterwards. */
void km_process_end(struct km_attribute *a, struct km_process_row *p, uint64_t t_ns, int status);
/* It ended without ever having had a row. */
void km_process_note_end(struct km_attribute *a, uint64_t service_id, const struct km_ending *e);
/* Puts P where it belongs now. */
void km_process_place(struct km_attribute *a, struct km_process_row *p, bool fresh);
/* All processes of CGROUP_ID, or of all cgroups if 0, are placed again. */
void km_process_place_all(struct km_attribute *a, uint64_t cgroup_id);
/* End of a pass: who was missed too often is over; old ends are forgotten. */
void km_process_pass(struct km_attribute *a, uint64_t now_ns);

/* image.c */
struct km_image km_image_of(const char *path, uint32_t version);
/* P is S's main process: what it runs now. */
void km_image_runs(struct km_attribute *a, struct km_service_row *s,
                   const struct km_process_row *p);

/* service.c */
struct km_service_row *km_service_row(const struct km_attribute *a, uint64_t id);
/* NULL: no room. */
struct km_service_row *km_service_make(struct km_attribute *a, const struct km_owner *o,
                                       uint64_t now_ns);
/* Main process by record, not by looks. */
bool km_service_by_main(const struct km_service_row *s);
void km_service_joined(struct km_attribute *a, struct km_service_row *s, struct km_process_row *p,
                       bool fresh);
/* P left for another service or, with E, ended. */
void km_service_left(struct km_attribute *a, struct km_service_row *s, struct km_process_row *p,
                     const struct km_ending *e);
void km_service_forget_old(struct km_attribute *a, uint64_t now_ns);

/* entity.c */
void km_entity_value(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret);
void km_entity_host(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret);

/* sender.c: VICTIM may be NULL, TGID 0. */
enum km_sender km_sender_of(const struct km_attribute *a, const struct km_process_row *victim,
                            uint32_t tgid);

/* health.c */
int km_health_table_new(struct km_table **ret);
void km_health_result(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret);
void km_health_pass(struct km_attribute *a, uint64_t now_ns);
void km_health_begin(struct km_service *s, uint64_t now_ns);

/* endpoint.c */
int km_endpoint_table_new(struct km_table **ret);
/* Rows for what A's configuration has, and no others. */
void km_endpoint_configure(struct km_attribute *a, uint64_t now_ns);
void km_endpoint_connects(struct km_attribute *a, const struct km_signal *s,
                          struct km_subject *ret);
void km_endpoint_route(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret);
/* A result of CHECK, one that looks at an endpoint's place. */
enum km_event km_endpoint_checked(struct km_attribute *a, struct km_service *s,
                                  const struct km_service_def *def,
                                  const struct km_check_state *check, const char *name);
void km_endpoint_pass(struct km_attribute *a, uint64_t now_ns);

/* life.c */
void km_service_touch(struct km_attribute *a, struct km_service_row *s);
/* Its next life's main process, as the actor or a pidfile says. */
void km_service_next_main(struct km_attribute *a, struct km_service_row *s, uint32_t tgid,
                          uint64_t start_ns);
/* The actor says that it is down. */
void km_service_down(struct km_attribute *a, struct km_service_row *s, uint64_t t_ns);
/* One step towards what is so; the event it makes. NONE: it is settled. */
enum km_event km_service_settle(struct km_attribute *a, struct km_service_row *s);
/* Exit code, sender or OOM mark that came later than the end. */
void km_service_fill_in(struct km_attribute *a, const struct km_ended_row *e);

/* Of what a service has by name: health checks, endpoints. */
struct km_named_key {
	uint64_t service_id;
	uint64_t name_hash;
};

static inline struct km_named_key km_named_key(uint64_t service_id, const char *name)
{
	return (struct km_named_key){ service_id, km_hash(name, strlen(name)) };
}

#endif
