/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 3: whose signal it is. Identity is cgroup id and unit, or pid with start time: never comm.
 *
 * Services come from definitions (km_config) and, without one, from cgroup paths: systemd units
 * (*.service, *.scope of containers), containers (64 hex digits in docker-, libpod-, cri-,
 * containerd paths), Kubernetes pods; a process in no such cgroup belongs to the host. */
#ifndef KM_ATTRIBUTE_H
#define KM_ATTRIBUTE_H

#include "base/config.h"
#include "base/table.h"
#include "decode/signal.h"

enum km_service_state {
	KM_SERVICE_UNKNOWN = 0, /* defined, nothing seen yet */
	KM_SERVICE_UP = 1,
	KM_SERVICE_DOWN = 2, /* main process gone, or no process left */
	KM_SERVICE_STATE_MAX
};

extern const char *const km_service_state_names[KM_SERVICE_STATE_MAX + 1];

/* Who sent the signal that ended it. */
enum km_sender {
	KM_SENDER_UNKNOWN = 0, /* nobody, or it was not seen */
	KM_SENDER_ITSELF,
	KM_SENDER_INIT,       /* the system manager */
	KM_SENDER_SUPERVISOR, /* the process that started it */
	KM_SENDER_OPERATOR,   /* somebody in a login session */
	KM_SENDER_OUTSIDER,
	KM_SENDER_MAX
};

extern const char *const km_sender_names[KM_SENDER_MAX + 1];

/* How a service last ended, as far as the kernel told; zero where not known. */
struct km_ending {
	uint64_t t_ns;
	uint32_t tgid;
	uint32_t exit_code; /* as wait(2) packs it */
	uint64_t start_ns;  /* of the process that ended: t_ns - start_ns is how long it lived */
	uint32_t oom;       /* 1: chosen by the OOM killer */
	uint32_t signal;    /* that was sent to it, 0 none seen */
	uint32_t sender_tgid;
	uint32_t sender_uid;
	char sender_comm[KMEND_COMM_LEN];
	uint32_t known;  /* 1: the members above were seen (exit record); 0: only that it is gone */
	uint32_t asked;  /* 1: by kmend itself (an act is under way) */
	uint32_t sender; /* enum km_sender */
	uint32_t pad;
};

/* A row of the table of services; key is id. */
struct km_service {
	uint64_t id; /* hash of kind and name; never 0 */
	char name[KM_NAME_MAX];
	uint32_t kind;    /* enum km_service_kind */
	uint32_t defined; /* 1: by configuration */
	uint32_t state;   /* enum km_service_state */
	uint32_t processes;
	uint64_t since_ns;  /* of this state */
	uint64_t cgroup_id; /* its topmost cgroup, 0 not known */
	uint32_t main_tgid; /* 0 not known */
	uint32_t starts;    /* times it was seen to start */
	uint64_t main_start_ns;
	uint64_t exits; /* ends of the service, asked for or not */
	uint64_t oom_kills;
	uint64_t retransmits;
	uint64_t connect_failures;
	uint64_t forks;
	uint64_t health_ns;          /* since when it is so */
	uint64_t latency_ns;         /* of its slowest health check */
	uint64_t certificate_used_s; /* seconds over of a life of life_s; life_s 0: none seen */
	uint64_t certificate_life_s;
	uint64_t deployed_ns; /* when its main process began to run another version; 0: not seen */
	uint32_t health;      /* enum km_health, of all its checks together */
	uint32_t images;      /* executables of its main process that are known */
	struct km_ending last;
};

/* Hosts, filesystems, devices and endpoints are rows like services, so that levels, forecasts and
 * rules work on them unchanged: named "host", "fs:/var", "dev:vda", "SERVICE>10.0.0.5:5432". They
 * have no processes and nothing can be done to them. */
static inline enum km_entity km_service_entity(const struct km_service *s)
{
	return s->kind <= KM_BY_COMMAND ? KM_ENTITY_SERVICE
	                                : (enum km_entity)(s->kind - KM_BY_COMMAND);
}

/* Of the row "host", whether it is there yet or not. */
uint64_t km_attribute_host_id(void);

/* What happened to a service just now. */
enum km_event {
	KM_EV_NONE = 0,
	KM_EV_STARTED = 1,  /* came up: main process known or first process seen */
	KM_EV_ENDED = 2,    /* went down; service->last says how */
	KM_EV_OOM = 3,      /* one of its processes was chosen */
	KM_EV_SIGNALED = 4, /* a fatal signal was sent to its main process */
	KM_EV_CONNECT_FAILED = 5,
	KM_EV_UNHEALTHY = 6, /* its health checks fail while it runs */
	KM_EV_HEALTHY = 7,   /* ... and no longer do */
	KM_EV_ENDPOINT = 8,  /* one of its endpoints stands otherwise than before, or is doubted */
	KM_EV_MAX
};

extern const char *const km_event_names[KM_EV_MAX + 1];

/* What a process did and waited for since it was looked at before. */
struct km_use {
	uint64_t cpu_ns;
	uint64_t run_delay_ns;
	uint64_t involuntary;
	uint64_t major_faults;
	uint64_t written_bytes;
};

/* Whose a signal is: handed to phase 4. */
struct km_subject {
	struct km_service
		*service; /* NULL: the host's; valid until the next km_attribute_signal() */
	enum km_event event;
	struct km_use use; /* of a sched record */
};

struct km_attribute;

int km_attribute_new(struct km_attribute **ret);
struct km_attribute *km_attribute_free(struct km_attribute *a);
KM_DEFINE_FREEP(struct km_attribute, km_attribute_free)

/* New definitions; services no longer defined stay while they have processes. C must outlive A or
 * the next call. */
int km_attribute_configure(struct km_attribute *a, const struct km_config *c, uint64_t now_ns);
/* Updates the tables; *RET says whose it is. 0, or -ENOSPC: a table is full (counted). */
int km_attribute_signal(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret);
/* One signal may say more than one thing (a tick can find several services ended, an outcome one
 * life over and the next begun): after each km_attribute_signal() call this until it returns 0. 1:
 * *RET is filled in, event is not NONE. */
int km_attribute_more(struct km_attribute *a, struct km_subject *ret);
/* kmend itself is about to end this service until UNTIL_NS: the end of the life that runs now, or
 * has just begun, is `asked`; that of a life which begins from here on is not. */
void km_attribute_expect_end(struct km_attribute *a, uint64_t service_id, uint64_t until_ns);

struct km_service *km_attribute_service(const struct km_attribute *a, uint64_t id);
struct km_service *km_attribute_service_by_name(const struct km_attribute *a, const char *name);
struct km_service *km_attribute_next(const struct km_attribute *a, uint32_t *slot);
/* How one of its health checks stands; key is service and name. */
struct km_check_state {
	uint64_t service_id;
	uint64_t name_hash;
	uint64_t t_ns;     /* of the newest record */
	uint64_t until_ns; /* it is believed */
	uint64_t good_ns;  /* when it was last known to be healthy */
	uint64_t latency_ns;
	uint64_t used_s, life_s; /* of a certificate; life_s 0: none was seen */
	uint32_t health;         /* enum km_health */
	uint32_t pad;
	char reason[128];
};

/* NULL: nothing is known. */
const struct km_check_state *km_attribute_check(const struct km_attribute *a, uint64_t service_id,
                                                const char *check);

/* What is known of one place of an endpoint: of its primary, or of a standby. */
enum km_place_health {
	KM_PLACE_UNKNOWN = 0, /* nobody looks at it or connects to it */
	KM_PLACE_HEALTHY,
	KM_PLACE_SLOW,      /* its check takes many times as long as it usually does */
	KM_PLACE_UNHEALTHY, /* connections fail, or its check does */
	KM_PLACE_MAX
};

extern const char *const km_place_health_names[KM_PLACE_MAX + 1];

struct km_place_state {
	uint64_t health_ns; /* since when it is so */
	uint64_t good_ns;   /* newest connection that was accepted, 0: none was seen */
	uint64_t failed_ns; /* newest one that failed, since then; 0: none */
	uint64_t doubt_ns; /* the kernel saw something that a check should look at; 0: not lately */
	uint64_t usual_ns; /* how long its check takes usually */
	uint64_t took_ns;  /* ... and took last; 0: it has none, or was not answered */
	uint32_t health;   /* enum km_place_health */
	uint32_t failures; /* since good_ns */
	uint32_t looks;    /* in usual_ns */
	uint32_t slow;     /* 1: slow by its check */
	uint32_t streak;   /* looks in a row that speak against that */
	uint32_t pad;
};

/* Where new connections go that ask for the primary. */
enum km_traffic {
	KM_TO_PRIMARY = 0,
	KM_TO_BOTH = 1, /* a share to the primary, the rest to a standby */
	KM_TO_STANDBY = 2,
	KM_TRAFFIC_MAX
};

extern const char *const km_traffic_names[KM_TRAFFIC_MAX + 1];

/* How an endpoint of a service stands; key is service and name. */
struct km_endpoint_state {
	uint64_t service_id;
	uint64_t name_hash;
	uint64_t places_hash; /* of its addresses: others are another endpoint */
	uint64_t traffic_ns;  /* since when traffic goes as it does */
	uint32_t share;       /* of KMEND_SHARE_ALL that go to the standby */
	uint32_t standby;     /* ... from 1; 0: none */
	uint32_t outlives;    /* 1: goes on when kmend ends */
	uint32_t said;        /* 1: the actor has said how it stands */
	struct km_place_state place[1 + KM_STANDBYS_MAX];
};

/* NULL: nothing is known. */
const struct km_endpoint_state *km_attribute_endpoint(const struct km_attribute *a,
                                                      uint64_t service_id, const char *endpoint);
enum km_traffic km_endpoint_traffic(const struct km_endpoint_state *e);
/* The first standby that may take over, from 1; 0: all that are known to be are ill. */
uint32_t km_endpoint_choose(const struct km_endpoint_state *e, const struct km_endpoint *def);
/* True if ID is a process of the service's (now or in the last 60 s). */
bool km_attribute_owns(const struct km_attribute *a, const struct km_service *s, uint32_t tgid,
                       uint64_t start_ns);

/* Whether two start times are of one process: equal, or one is exact and the other the same cut to
 * the clock ticks of /proc (10 ms). */
bool km_attribute_same_start(uint64_t a_ns, uint64_t b_ns);

/* The tables for checkpoints: up to MAX written to RET, count returned. */
size_t km_attribute_tables(struct km_attribute *a, struct km_table **ret, size_t max);

#endif
