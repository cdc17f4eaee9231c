/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a rule; one that compiles is asked about a service at every event. */
#include "asked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_and_ask((const char *)data, size);
	return 0;
}
