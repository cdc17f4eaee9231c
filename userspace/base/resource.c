// SPDX-License-Identifier: Apache-2.0
#include <stddef.h>

#include "base/resource.h"

const char *const km_resource_names[KM_RESOURCE_MAX + 1] = {
	[KM_MEMORY] = "memory",           [KM_DESCRIPTORS] = "descriptors",
	[KM_THREADS] = "threads",         [KM_DISK] = "disk",
	[KM_INODES] = "inodes",           [KM_ACCEPT_QUEUE] = "accept_queue",
	[KM_CONNTRACK] = "conntrack",     [KM_PORTS] = "ports",
	[KM_HOST_PIDS] = "host_pids",     [KM_HOST_FILES] = "host_files",
	[KM_HOST_MEMORY] = "host_memory",
};

const char *km_resource_unit(enum km_resource r)
{
	return r == KM_MEMORY || r == KM_DISK || r == KM_HOST_MEMORY ? "bytes" : "count";
}
