/* SPDX-License-Identifier: Apache-2.0 */
/* A host that exists as raw records only: services that come and go, levels, ticks, and an actor
 * that answers. What a rule's test says becomes the records that the collector would have made, so
 * that the test goes through the same phases as the host does. */
#ifndef KM_WORLD_H
#define KM_WORLD_H

#include "decide/decide.h"

#define KM_WORLD_SERVICES_MAX 32
/* Boot time of a world's time 0: times before it (starts, back-off) must not be negative. */
#define KM_WORLD_BEGIN_NS (3600 * KM_NS_PER_S)

struct km_world_service {
	char name[KM_NAME_MAX];
	enum km_service_kind kind;
	char match[KM_PATH_MAX]; /* as in struct km_service_def */
	uint64_t cgroup_id;
	uint32_t tgid; /* of its one process, 0: it is down */
	uint64_t start_ns;
	uint64_t born_ns;        /* world time of its newest start */
	uint64_t fds, fds_limit; /* KM_UNKNOWN: not measured */
	uint32_t version;        /* of its executable, 0: not told */
	const struct km_service_def *def;
};

typedef int (*km_world_sink)(void *userdata, const void *raw, size_t len);

struct km_world {
	km_world_sink sink;
	void *userdata;
	uint64_t t_ns; /* now, from 0 on */
	struct km_world_service service[KM_WORLD_SERVICES_MAX];
	size_t count;
	uint32_t last_tgid;
	uint64_t lost;
};

void km_world_init(struct km_world *w, km_world_sink sink, void *userdata);
/* -ENOSPC. It is down until km_world_start(). */
int km_world_add(struct km_world *w, const struct km_service_def *def);
struct km_world_service *km_world_service(struct km_world *w, const char *name);

/* Each makes the records of what it says, at w->t_ns. 0, or what the sink said. */
int km_world_text(struct km_world *w, enum km_text_kind kind, const char *file, const char *text);
int km_world_start(struct km_world *w, struct km_world_service *s);
/* STATUS as wait(2). Of a service that is down: nothing. */
int km_world_end(struct km_world *w, struct km_world_service *s, uint32_t status);
/* Its next process runs another version of the executable. */
int km_world_deploy(struct km_world *w, struct km_world_service *s);
int km_world_oom(struct km_world *w, struct km_world_service *s);
/* By somebody else: NULL for init. */
int km_world_signal(struct km_world *w, struct km_world_service *s, uint32_t signal,
                    const char *by);
int km_world_connect_failed(struct km_world *w, struct km_world_service *s, int error);
int km_world_level(struct km_world *w, struct km_world_service *s, enum km_resource r,
                   uint64_t level, uint64_t limit);
struct km_world_value {
	enum km_sig signal;
	enum km_entity entity;
	const char *name;   /* mount point, device, ADDRESS:PORT; "" for a service and the host */
	double value;       /* a rate is per second */
	double limit;       /* negative: none */
	uint64_t period_ns; /* since the last one */
};
/* S: of the service, or whose endpoint it is; NULL: neither. What the host counts
 * from events comes as so many events. */
int km_world_value(struct km_world *w, struct km_world_service *s, const struct km_world_value *v);
/* False for what only a process can make, like forks. */
bool km_world_tells(enum km_sig signal);
/* Where boot time stands in wall-clock time: REALTIME_NS at the world's time 0. */
int km_world_clock(struct km_world *w, uint64_t realtime_ns);
int km_world_loss(struct km_world *w);
/* Three connections to a place of an endpoint ("": the first one's; 0: its primary) fail, or one is
 * accepted. */
int km_world_connects(struct km_world *w, struct km_world_service *s, const char *endpoint,
                      uint32_t place, bool accepted);
/* The actor says that an endpoint's connections go there: to both is half of them, the standby is
 * the first. */
int km_world_traffic(struct km_world *w, struct km_world_service *s, const char *endpoint,
                     enum km_traffic to);
/* The check of that place was good and took so long. */
int km_world_checked(struct km_world *w, struct km_world_service *s, const char *endpoint,
                     uint32_t place, uint64_t took_ns);
struct km_world_health {
	enum km_health health;
	const char *reason;
};
/* What all health checks of DEF's service say from now on; it has one at least. */
int km_world_health(struct km_world *w, struct km_world_service *s,
                    const struct km_service_def *def, const struct km_world_health *h);
int km_world_command(struct km_world *w, enum km_command command, uint64_t decision_id);
/* Its processes as the sampling pass saw them, then the tick. */
int km_world_tick(struct km_world *w);
/* The actor's answer to D. Where it is DONE, what it does to the service comes with it. */
int km_world_outcome(struct km_world *w, const struct km_decision *d, enum km_outcome_state state);

#endif
