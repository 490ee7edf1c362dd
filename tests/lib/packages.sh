#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# packages.sh LIST... - see to it that the Debian packages of tests/lib/packages.LIST are installed.
#
# Called by the Makefile's demo, deps and test targets. Asks dpkg only, so it is quick and needs no network when nothing
# is missing. Without root, or on another system, it names what is missing and lets the caller go on: what needs it then
# fails or is skipped with its own reason.
set -eu
here=$(dirname "$0")

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Print the first name of each line of which no alternative is installed.
missing()
{
	local list line name found
	for list in "$@"; do
		while IFS= read -r line; do
			line=${line%%#*}
			[ -n "${line//[[:space:]]/}" ] || continue
			found=
			for name in ${line//|/ }; do
				if installed "$name"; then
					found=$name
					break
				fi
			done
			[ -n "$found" ] || echo "${line//[[:space:]]/}"
		done <"$here/packages.$list"
	done
}

# Of `a|b`, the first one that apt knows.
choose()
{
	local name
	for name in ${1//|/ }; do
		if apt-cache show "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
	echo "${1%%|*}"
}

choose_all()
{
	local line
	for line in "$@"; do
		choose "$line"
	done
}

# A server package creates and starts a cluster when it is first installed; nobody asked us for one. Held for the time of
# this installation only.
conf=/etc/postgresql-common/createcluster.conf
mark='# for the time that dbtap installs a server'

hold_main_cluster()
{
	if ! grep -qs '^[[:space:]]*create_main_cluster' "$conf"; then
		mkdir -p "${conf%/*}"
		echo "create_main_cluster = false $mark" >>"$conf"
	fi
}

release_main_cluster()
{
	[ ! -e "$conf" ] || sed -i "/$mark\$/d" "$conf"
}

if ! command -v dpkg-query >/dev/null; then
	echo "packages: not a Debian system, install by hand what $here/packages.* name" >&2
	exit 0
fi
wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "packages: missing:" $wanted "(run as root to have them installed)" >&2
	exit 0
fi
case "$wanted" in
*postgresql*)
	trap release_main_cluster EXIT
	hold_main_cluster
	;;
esac
export DEBIAN_FRONTEND=noninteractive
echo "packages: installing" $wanted
# The lists may be missing or out of date: then ask for new ones, once.
install_all()
{
	apt-get install -y -q --no-install-recommends $(choose_all $wanted)
}
install_all || { apt-get update -q && install_all; }
