// SPDX-License-Identifier: BSD-2-Clause
/*
 * wait_events.c - the tables of wait events by version, and the lookups of wait_events.h.
 *
 * A version is one row of `versions`; a test asks an installed server's binary for its names and compares them with the
 * tables here. Called where views are made. How the number is read belongs to the BPF programs and userspace/attach.
 */
#include "correlate/engine/postgres/wait_events.h"

#include <stddef.h>
#include <stdio.h>

enum {
	CLASS_LWLOCK = 0x01,
	CLASS_LOCK = 0x03,
	CLASS_BUFFER_PIN = 0x04,
	CLASS_ACTIVITY = 0x05,
	CLASS_CLIENT = 0x06,
	CLASS_EXTENSION = 0x07,
	CLASS_IPC = 0x08,
	CLASS_TIMEOUT = 0x09,
	CLASS_IO = 0x0a,
	CLASS_COUNT,

	EVENT_MASK = 0xffff, /* the byte between class and event is reserved */
};

static const char *const class_names[CLASS_COUNT] = {
	[CLASS_LWLOCK] = "LWLock",     [CLASS_LOCK] = "Lock",	    [CLASS_BUFFER_PIN] = "BufferPin",
	[CLASS_ACTIVITY] = "Activity", [CLASS_CLIENT] = "Client",   [CLASS_EXTENSION] = "Extension",
	[CLASS_IPC] = "IPC",	       [CLASS_TIMEOUT] = "Timeout", [CLASS_IO] = "IO",
};

/* Individual locks by their number, then the built-in tranches. */
static const char *const lwlock_15[] = {
	[1] = "ShmemIndex",
	[2] = "OidGen",
	[3] = "XidGen",
	[4] = "ProcArray",
	[5] = "SInvalRead",
	[6] = "SInvalWrite",
	[7] = "WALBufMapping",
	[8] = "WALWrite",
	[9] = "ControlFile",
	[11] = "XactSLRU",
	[12] = "SubtransSLRU",
	[13] = "MultiXactGen",
	[14] = "MultiXactOffsetSLRU",
	[15] = "MultiXactMemberSLRU",
	[16] = "RelCacheInit",
	[17] = "CheckpointerComm",
	[18] = "TwoPhaseState",
	[19] = "TablespaceCreate",
	[20] = "BtreeVacuum",
	[21] = "AddinShmemInit",
	[22] = "Autovacuum",
	[23] = "AutovacuumSchedule",
	[24] = "SyncScan",
	[25] = "RelationMapping",
	[26] = "NotifySLRU",
	[27] = "NotifyQueue",
	[28] = "SerializableXactHash",
	[29] = "SerializableFinishedList",
	[30] = "SerializablePredicateList",
	[31] = "SerialSLRU",
	[32] = "SyncRep",
	[33] = "BackgroundWorker",
	[34] = "DynamicSharedMemoryControl",
	[35] = "AutoFile",
	[36] = "ReplicationSlotAllocation",
	[37] = "ReplicationSlotControl",
	[38] = "CommitTsSLRU",
	[39] = "CommitTs",
	[40] = "ReplicationOrigin",
	[41] = "MultiXactTruncation",
	[42] = "OldSnapshotTimeMap",
	[43] = "LogicalRepWorker",
	[44] = "XactTruncation",
	[46] = "WrapLimitsVacuum",
	[47] = "NotifyQueueTail",
	[48] = "XactBuffer",
	[49] = "CommitTsBuffer",
	[50] = "SubtransBuffer",
	[51] = "MultiXactOffsetBuffer",
	[52] = "MultiXactMemberBuffer",
	[53] = "NotifyBuffer",
	[54] = "SerialBuffer",
	[55] = "WALInsert",
	[56] = "BufferContent",
	[57] = "ReplicationOriginState",
	[58] = "ReplicationSlotIO",
	[59] = "LockFastPath",
	[60] = "BufferMapping",
	[61] = "LockManager",
	[62] = "PredicateLockManager",
	[63] = "ParallelHashJoin",
	[64] = "ParallelQueryDSA",
	[65] = "PerSessionDSA",
	[66] = "PerSessionRecordType",
	[67] = "PerSessionRecordTypmod",
	[68] = "SharedTupleStore",
	[69] = "SharedTidBitmap",
	[70] = "ParallelAppend",
	[71] = "PerXactPredicateList",
	[72] = "PgStatsDSA",
	[73] = "PgStatsHash",
	[74] = "PgStatsData",
};

static const char *const lock_15[] = {
	[0] = "relation", [1] = "extend",	 [2] = "frozenid",   [3] = "page",
	[4] = "tuple",	  [5] = "transactionid", [6] = "virtualxid", [7] = "spectoken",
	[8] = "object",	  [9] = "userlock",	 [10] = "advisory",
};

static const char *const activity_15[] = {
	[0] = "ArchiverMain",	  [1] = "AutoVacuumMain",   [2] = "BgWriterHibernate",	 [3] = "BgWriterMain",
	[4] = "CheckpointerMain", [5] = "LogicalApplyMain", [6] = "LogicalLauncherMain", [7] = "RecoveryWalStream",
	[8] = "SysLoggerMain",	  [9] = "WalReceiverMain",  [10] = "WalSenderMain",	 [11] = "WalWriterMain",
};

static const char *const client_15[] = {
	[0] = "ClientRead",
	[1] = "ClientWrite",
	[2] = "GSSOpenServer",
	[3] = "LibPQWalReceiverConnect",
	[4] = "LibPQWalReceiverReceive",
	[5] = "SSLOpenServer",
	[6] = "WalSenderWaitForWAL",
	[7] = "WalSenderWriteData",
};

static const char *const ipc_15[] = {
	[0] = "AppendReady",
	[1] = "ArchiveCleanupCommand",
	[2] = "ArchiveCommand",
	[3] = "BackendTermination",
	[4] = "BackupWaitWalArchive",
	[5] = "BgWorkerShutdown",
	[6] = "BgWorkerStartup",
	[7] = "BtreePage",
	[8] = "BufferIO",
	[9] = "CheckpointDone",
	[10] = "CheckpointStart",
	[11] = "ExecuteGather",
	[12] = "HashBatchAllocate",
	[13] = "HashBatchElect",
	[14] = "HashBatchLoad",
	[15] = "HashBuildAllocate",
	[16] = "HashBuildElect",
	[17] = "HashBuildHashInner",
	[18] = "HashBuildHashOuter",
	[19] = "HashGrowBatchesAllocate",
	[20] = "HashGrowBatchesDecide",
	[21] = "HashGrowBatchesElect",
	[22] = "HashGrowBatchesFinish",
	[23] = "HashGrowBatchesRepartition",
	[24] = "HashGrowBucketsAllocate",
	[25] = "HashGrowBucketsElect",
	[26] = "HashGrowBucketsReinsert",
	[27] = "LogicalSyncData",
	[28] = "LogicalSyncStateChange",
	[29] = "MessageQueueInternal",
	[30] = "MessageQueuePutMessage",
	[31] = "MessageQueueReceive",
	[32] = "MessageQueueSend",
	[33] = "ParallelBitmapScan",
	[34] = "ParallelCreateIndexScan",
	[35] = "ParallelFinish",
	[36] = "ProcArrayGroupUpdate",
	[37] = "ProcSignalBarrier",
	[38] = "Promote",
	[39] = "RecoveryConflictSnapshot",
	[40] = "RecoveryConflictTablespace",
	[41] = "RecoveryEndCommand",
	[42] = "RecoveryPause",
	[43] = "ReplicationOriginDrop",
	[44] = "ReplicationSlotDrop",
	[45] = "RestoreCommand",
	[46] = "SafeSnapshot",
	[47] = "SyncRep",
	[48] = "WalReceiverExit",
	[49] = "WalReceiverWaitStart",
	[50] = "XactGroupUpdate",
	[51] = "WalReceiverUpstreamCatchup",
};

static const char *const timeout_15[] = {
	[0] = "BaseBackupThrottle",
	[1] = "CheckpointWriteDelay",
	[2] = "PgSleep",
	[3] = "RecoveryApplyDelay",
	[4] = "RecoveryRetrieveRetryInterval",
	[5] = "RegisterSyncRequest",
	[6] = "VacuumDelay",
	[7] = "VacuumTruncate",
};

static const char *const io_15[] = {
	[0] = "BaseBackupRead",
	[1] = "BaseBackupSync",
	[2] = "BaseBackupWrite",
	[3] = "BufFileRead",
	[4] = "BufFileWrite",
	[5] = "BufFileTruncate",
	[6] = "ControlFileRead",
	[7] = "ControlFileSync",
	[8] = "ControlFileSyncUpdate",
	[9] = "ControlFileWrite",
	[10] = "ControlFileWriteUpdate",
	[11] = "CopyFileRead",
	[12] = "CopyFileWrite",
	[13] = "DataFileExtend",
	[14] = "DataFileFlush",
	[15] = "DataFileImmediateSync",
	[16] = "DataFilePrefetch",
	[17] = "DataFileRead",
	[18] = "DataFileSync",
	[19] = "DataFileTruncate",
	[20] = "DataFileWrite",
	[21] = "DSMFillZeroWrite",
	[22] = "LockFileAddToDataDirRead",
	[23] = "LockFileAddToDataDirSync",
	[24] = "LockFileAddToDataDirWrite",
	[25] = "LockFileCreateRead",
	[26] = "LockFileCreateSync",
	[27] = "LockFileCreateWrite",
	[28] = "LockFileReCheckDataDirRead",
	[29] = "LogicalRewriteCheckpointSync",
	[30] = "LogicalRewriteMappingSync",
	[31] = "LogicalRewriteMappingWrite",
	[32] = "LogicalRewriteSync",
	[33] = "LogicalRewriteTruncate",
	[34] = "LogicalRewriteWrite",
	[35] = "RelationMapRead",
	[36] = "RelationMapSync",
	[37] = "RelationMapWrite",
	[38] = "ReorderBufferRead",
	[39] = "ReorderBufferWrite",
	[40] = "ReorderLogicalMappingRead",
	[41] = "ReplicationSlotRead",
	[42] = "ReplicationSlotRestoreSync",
	[43] = "ReplicationSlotSync",
	[44] = "ReplicationSlotWrite",
	[45] = "SLRUFlushSync",
	[46] = "SLRURead",
	[47] = "SLRUSync",
	[48] = "SLRUWrite",
	[49] = "SnapbuildRead",
	[50] = "SnapbuildSync",
	[51] = "SnapbuildWrite",
	[52] = "TimelineHistoryFileSync",
	[53] = "TimelineHistoryFileWrite",
	[54] = "TimelineHistoryRead",
	[55] = "TimelineHistorySync",
	[56] = "TimelineHistoryWrite",
	[57] = "TwophaseFileRead",
	[58] = "TwophaseFileSync",
	[59] = "TwophaseFileWrite",
	[60] = "VersionFileWrite",
	[61] = "WALSenderTimelineHistoryRead",
	[62] = "WALBootstrapSync",
	[63] = "WALBootstrapWrite",
	[64] = "WALCopyRead",
	[65] = "WALCopySync",
	[66] = "WALCopyWrite",
	[67] = "WALInitSync",
	[68] = "WALInitWrite",
	[69] = "WALRead",
	[70] = "WALSync",
	[71] = "WALSyncMethodAssign",
	[72] = "WALWrite",
	[73] = "VersionFileSync",
};

static const char *const buffer_pin[] = { "BufferPin" };
static const char *const extension[] = { "Extension" };

struct event_names {
	const char *const *names;
	size_t count;
	const char *beyond; /* name of every number past the end; NULL: such numbers are unknown */
};

struct version {
	int32_t major;
	struct event_names classes[CLASS_COUNT];
};

#define NAMES(table) \
	{ \
		table, sizeof(table) / sizeof(*(table)), NULL \
	}
#define NAMES_BEYOND(table, word) \
	{ \
		table, sizeof(table) / sizeof(*(table)), word \
	}

/* Tranches past the built-in ones belong to extensions; their names are in each server's memory, so one word stands for
 * all. */
static const struct version versions[] = {
	{ .major = 15,
	  .classes = { [CLASS_LWLOCK] = NAMES_BEYOND(lwlock_15, "extension"),
		       [CLASS_LOCK] = NAMES(lock_15),
		       [CLASS_BUFFER_PIN] = NAMES_BEYOND(buffer_pin, "BufferPin"),
		       [CLASS_ACTIVITY] = NAMES(activity_15),
		       [CLASS_CLIENT] = NAMES(client_15),
		       [CLASS_EXTENSION] = NAMES_BEYOND(extension, "Extension"),
		       [CLASS_IPC] = NAMES(ipc_15),
		       [CLASS_TIMEOUT] = NAMES(timeout_15),
		       [CLASS_IO] = NAMES(io_15) } },
};

const char *tap_pg_wait_class(uint32_t event)
{
	uint32_t number = event >> 24;

	if (!event)
		return "None";
	return number < CLASS_COUNT ? class_names[number] : NULL;
}

static const struct version *version_find(int32_t version_number)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		if (versions[i].major == version_number / 10000)
			return &versions[i];
	}
	return NULL;
}

const char *tap_pg_wait_event(int32_t version_number, uint32_t event)
{
	const struct version *version = version_find(version_number);
	const struct event_names *names;
	uint32_t number = event & EVENT_MASK;

	if (!event)
		return "CPU-or-kernel";
	if (!version || event >> 24 >= CLASS_COUNT)
		return NULL;
	names = &version->classes[event >> 24];
	return number < names->count ? names->names[number] : names->beyond;
}

void tap_pg_wait_event_name(int32_t version_number, uint32_t event, char ret_class[TAP_WAIT_CLASS_MAX],
			    char ret_name[TAP_WAIT_NAME_MAX])
{
	const char *class_name = tap_pg_wait_class(event);
	const char *event_name = tap_pg_wait_event(version_number, event);

	snprintf(ret_class, TAP_WAIT_CLASS_MAX, "%s", class_name ? class_name : "unknown");
	if (event_name)
		snprintf(ret_name, TAP_WAIT_NAME_MAX, "%s", event_name);
	else
		snprintf(ret_name, TAP_WAIT_NAME_MAX, "unknown-0x%08x", event);
}

bool tap_pg_wait_event_is_idle_class(uint32_t event)
{
	return event >> 24 == CLASS_ACTIVITY;
}
