/* SPDX-License-Identifier: Apache-2.0 */
/* The host's configuration file: settings and service definitions. One text, compiled by engine and
 * actor each for itself; it also enters the pipeline as a record, so that a replay has it. */
#ifndef KM_CONFIG_H
#define KM_CONFIG_H

#include "base/base.h"
#include "base/json.h"

#define KM_CONFIG_BYTES_MAX KM_JSON_BYTES_MAX
/* Strings of one command, and bytes of one of them, terminator included. */
#define KM_ARGV_MAX 64
#define KM_ARG_MAX  4096

enum km_service_kind {
	KM_BY_UNIT = 0,   /* systemd unit, by name */
	KM_BY_CGROUP,     /* cgroup v2 path below the mount */
	KM_BY_CONTAINER,  /* 64 hex digits or a prefix of at least 12, from the cgroup path */
	KM_BY_EXECUTABLE, /* absolute path as executed */
	KM_BY_PIDFILE,    /* absolute path */
	KM_BY_COMMAND,    /* argv, started and supervised by kmend */
	KM_SERVICE_KIND_MAX
};

extern const char *const km_service_kind_names[KM_SERVICE_KIND_MAX + 1];

/* Limits that kmend sets for a supervised command, KM_UNKNOWN where none is asked for. */
struct km_service_limits {
	uint64_t memory_bytes; /* cgroup: memory.max or memory.limit_in_bytes */
	uint64_t pids;         /* cgroup: pids.max */
	uint64_t nofile;       /* soft and hard RLIMIT_NOFILE */
};

struct km_service_def {
	char name[KM_NAME_MAX];
	enum km_service_kind kind;
	char match[KM_PATH_MAX];     /* unit, cgroup path, container id, executable or pidfile */
	char **argv;                 /* KM_BY_COMMAND: absolute argv[0], NULL-terminated, owned */
	char user[64];               /* of a supervised command, empty: root */
	char directory[KM_PATH_MAX]; /* its working directory, "/" by default */
	struct km_service_limits limits;
	uint64_t stop_timeout_ns; /* SIGTERM to SIGKILL, 10 s by default */
	uint32_t instances;       /* how many services share its "group", itself included */
	char group[KM_NAME_MAX];  /* instances of one service, for minimum healthy; empty: none */
	bool autostart; /* supervised commands: start when kmend starts; true by default */
};

struct km_settings {
	uint64_t sample_period_ns; /* 1 s by default; 100 ms to 60 s */
	uint64_t horizon_ns;       /* forecasts later than this are not made; 24 h by default */
	uint64_t history_days;     /* how long SQLite keeps samples, 14 by default */
	uint64_t socket_mode;      /* always 0660 in this version */
	char socket_group[64];     /* may read through the control socket, "kmend" by default */
};

struct km_config {
	struct km_settings settings;
	struct km_service_def *services; /* sorted by name, owned */
	size_t service_count;
};

/* Service names: letters, digits and . _ @ : -, not first . or -. No two services have one name, or
 * are found by the same unit, cgroup and so on.
 *
 * TEXT NULL: the embedded defaults (no service, observe only). -EBADMSG with *ERR. */
int km_config_compile(const char *text, size_t len, const char *file, struct km_error *err,
                      struct km_config **ret);
struct km_config *km_config_free(struct km_config *c);
KM_DEFINE_FREEP(struct km_config, km_config_free)

/* NULL if there is none. The config's. */
const struct km_service_def *km_config_service(const struct km_config *c, const char *name);

#endif
