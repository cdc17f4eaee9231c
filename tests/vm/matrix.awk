# SPDX-License-Identifier: Apache-2.0
# Signals down, kernels across. First file: holes ("SIGNAL RELEASE-PATTERN WHY"); second: the
# consoles, each line after the name of its kernel. Variable kernels: all of them, in order.
# Exit 1: something is neither passed nor a hole whose reason is the kernel's.

# Why this kernel cannot have this signal; "" is no reason.
function explained(name, release,    i)
{
	for (i = 1; i <= holes; i++)
		if (name == hole[i] && release ~ pattern[i])
			return why[i]
	return ""
}

function note(name, kernel, text)
{
	notes[++noted] = sprintf("%s on %s: %s", name, kernel, text)
}

NR == FNR {
	if (!/^#/ && NF >= 3) {
		hole[++holes] = $1
		pattern[holes] = $2
		sub(/^[^ ]+ +[^ ]+ +/, "")
		why[holes] = $0
	}
	next
}

$2 == "kernel" { release[$1] = $3 }

$2 == "signal" || $2 == "program" {
	name = $2 == "program" ? "tests/bpf/" $3 : $3
	is = $4
	kernel = $1
	sub(/:$/, "", is)
	sub(/^[^:]*: ?/, "")
	if (!(name in row)) {
		row[name] = ++rows
		names[rows] = name
	}
	allowed = is == "hole" || is == "attached"
	if (allowed && explained(name, release[kernel]) == "")
		is = "UNEXPLAINED"
	if (is == "failed" || is == "uncovered")
		is = toupper(is)
	if (is != "passed")
		note(name, kernel, is " " $0 " (" explained(name, release[kernel]) ")")
	cell[name, kernel] = is
}

END {
	n = split(kernels, kernel_of, " ")
	printf "%-28s", "signal"
	for (k = 1; k <= n; k++) {
		split(release[kernel_of[k]], v, /[.-]/)
		split(kernel_of[k], a, "-")
		printf " %12s", v[1] == "" ? kernel_of[k] : v[1] "." v[2] "/" a[1]
	}
	print ""
	for (r = 1; r <= rows; r++) {
		printf "%-28s", names[r]
		for (k = 1; k <= n; k++) {
			is = cell[names[r], kernel_of[k]]
			printf " %12s", is == "passed" ? "ok" : is == "" ? "NOT TESTED" : is
			bad += is != "passed" && is != "hole" && is != "attached"
			good += is == "passed"
		}
		print ""
	}
	for (i = 1; i <= noted; i++)
		print "  " notes[i]
	printf "%d passed, %d failed\n", good, bad
	exit bad > 0 || good == 0
}
