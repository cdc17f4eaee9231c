// SPDX-License-Identifier: Apache-2.0
#include <stddef.h>

#include "base/resource.h"

const char *const km_resource_names[KM_RESOURCE_MAX + 1] = {
	[KM_MEMORY] = "memory",
	[KM_DESCRIPTORS] = "descriptors",
	[KM_THREADS] = "threads",
};
