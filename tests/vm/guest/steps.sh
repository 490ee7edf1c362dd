# SPDX-License-Identifier: BSD-2-Clause
#
# steps.sh - what is done on each kernel; sourced by init. A step leaves NAME.status, NAME.out and NAME.err in /results; what they
# must say is decided by test_kernels.py, on the host.
. /etc/environment
OPEN_SECONDS=120
own_bounding=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)

say()
{
	echo "vm: $(cut -d' ' -f1 /proc/uptime) $*"
}

# step NAME COMMAND...: a command that ends by itself.
step()
{
	name=$1
	shift
	say "$name"
	"$@" >/results/$name.out 2>/results/$name.err </dev/null
	echo $? >/results/$name.status
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for()
{
	until=$(($(cut -d. -f1 /proc/uptime) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $(cut -d. -f1 /proc/uptime) -lt $until ] || return 1
		usleep 200000
	done
}

# dbtap gives its capabilities away once its window is open.
opened_or_ended()
{
	[ -e /proc/$tracer/status ] || return 0
	[ "$(sed -n 's/^State:\t\(.\).*/\1/p' /proc/$tracer/status)" != Z ] || return 0
	bounding=$(sed -n 's/^CapBnd:\t//p' /proc/$tracer/status)
	effective=$(sed -n 's/^CapEff:\t//p' /proc/$tracer/status)
	[ "$bounding" != "$own_bounding" ] && [ "$effective" != 0000000000000000 ]
}

# trace_begin NAME ARGUMENT...: a dbtap whose window is open when this returns; trace_end ends it.
trace_begin()
{
	trace_name=$1
	shift
	say "$trace_name"
	began=$(cut -d' ' -f1 /proc/uptime)
	dbtap "$@" --format json --duration 3600 >/results/$trace_name.out 2>/results/$trace_name.err </dev/null &
	tracer=$!
	wait_for $OPEN_SECONDS opened_or_ended || kill -KILL $tracer
	echo "$began $(cut -d' ' -f1 /proc/uptime)" >/results/$trace_name.opening
}

trace_end()
{
	kill -INT $tracer 2>/dev/null
	wait $tracer
	echo $? >/results/$trace_name.status
}

# The server and its clients share one CPU, so that each statement is seen to end.
sql()
{
	taskset 1 psql -X -q -A -t -v ON_ERROR_STOP=1 -h /run -p $PORT -U postgres -d postgres "$@"
}

server_answers()
{
	sql -c 'select 1'
}

server_start()
{
	(cd /run && exec taskset 1 /usr/bin/setpriv --reuid $SERVER_UID --regid $SERVER_GID --clear-groups "$SERVER/postgres" -D /data/pg) \
		>/results/server.log 2>&1 </dev/null &
	wait_for 120 server_answers
}

server_stop()
{
	kill -INT "$(head -n 1 /data/pg/postmaster.pid)"
	wait_for 60 test ! -e /data/pg/postmaster.pid
}

# A session that tells, from the kernel's own counters, how long it was on a CPU.
statements()
{
	echo 'select pg_backend_pid() as pid \gset'
	echo '\setenv BACKEND :pid'
	echo '\! cat /proc/$BACKEND/schedstat'
	for i in $(seq 100); do echo 'select count(*) from generate_series(1, 2000) as a(i);'; done
	for i in $(seq 20); do echo 'select pg_sleep(0.02);'; done
	echo '\! cat /proc/$BACKEND/schedstat'
}

# trace_statements NAME ARGUMENT...
trace_statements()
{
	sql -c 'select pg_stat_statements_reset()' >/dev/null
	trace_begin "$@"
	statements | sql >/results/$trace_name.session 2>&1
	trace_end
	sql -c 'select calls, query from pg_stat_statements' >/results/$trace_name.truth
}

# trace_requests NAME: a scan of what no cache has, and a checkpoint after a table is written.
trace_requests()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	trace_begin $1 io --instance postgres-$PORT
	cat /proc/diskstats >/results/$1.before
	sql -c 'select count(*) from big' >/results/$1.session 2>&1
	sql -c "create table made_$2 as select i, repeat('y', 200) as filler from generate_series(1, 20000) i" -c checkpoint \
		>>/results/$1.session 2>&1
	sync
	cat /proc/diskstats >/results/$1.after
	trace_end
}

holder_holds()
{
	[ "$(sql -c "select count(*) from pg_stat_activity where state = 'idle in transaction'")" = 1 ]
}

waiter_waits()
{
	[ "$(sql -c 'select count(*) from pg_locks where not granted')" = 1 ]
}

# One session waits for another's row lock while the window closes.
trace_locks()
{
	mkfifo /tmp/holder
	sql </tmp/holder >/dev/null 2>&1 &
	exec 3>/tmp/holder
	trace_begin locks locks --instance postgres-$PORT
	echo 'begin; update held set v = v + 1 where id = 1;' >&3
	wait_for 30 holder_holds
	sql -c 'update held set v = v + 2 where id = 1' >/dev/null 2>&1 &
	wait_for 30 waiter_waits
	sql -c 'select pid, pg_blocking_pids(pid) from pg_locks where not granted' >/results/locks.truth
	sleep 1
	trace_end
	echo 'commit;' >&3
	exec 3>&-
	wait_for 30 holder_ended
}

holder_ended()
{
	[ "$(sql -c 'select count(*) from pg_locks where not granted')" = 0 ]
}

programs_gone()
{
	[ -z "$(bpftool prog show)" ]
}

views()
{
	trace_statements queries queries --no-connect --instance postgres-$PORT
	trace_statements statement queries --depth statement --instance postgres-$PORT
	trace_requests io plain
	trace_locks
	trace_begin sessions sessions --instance postgres-$PORT
	trace_end
	trace_begin waits waits --instance postgres-$PORT
	statements | sql >/dev/null 2>&1
	trace_end
	step top dbtap top --once --duration 1 --instance postgres-$PORT
}

# Both halves of a file system, on two disks that a linear target puts together.
stack_linear()
{
	first=$(cat /sys/block/vdc/size) second=$(cat /sys/block/vdd/size)
	printf '0 %s linear /dev/vdc 0\n%s %s linear /dev/vdd 0\n' $first $first $second |
		dmsetup create --noudevsync --noudevrules linear && dmsetup mknodes && test -b /dev/mapper/linear
}

stack_mirror()
{
	mdadm --build /dev/md0 --level=1 --raid-devices=2 --assume-clean --force /dev/vde /dev/vdf
}

# stacked NAME DEVICE: the same requests with the data folder there.
stacked()
{
	server_stop
	umount /data
	step $1_stack stack_$1
	step $1_mount mount -t ext4 -o noatime $2 /data
	step $1_server server_start
	grep . /sys/block/dm-0/dev /sys/block/md0/dev /sys/block/*/slaves/*/dev >/results/$1.sys 2>/dev/null
	trace_requests $1 $1
}

uname -r >/results/release
cat /proc/cmdline >/results/cmdline
step doctor dbtap doctor
step refused dbtap queries --duration 1 --format json
if [ "$(cat /results/refused.status)" = 0 ]; then
	step mount mount -t ext4 -o noatime /dev/vdb /data
	step server server_start
	step instances dbtap instances --format json
	views
	if [ -e /sys/block/vdf ]; then
		stacked linear /dev/mapper/linear
		stacked mirror /dev/md0
	fi
	step server_stop server_stop
fi
wait_for 20 programs_gone
step programs bpftool -j prog show
