// SPDX-License-Identifier: BSD-2-Clause
/* my_product.c - the tables of my_product.h. */
#include "userspace/attach/my_product.h"

#define TO(member) offsetof(struct tap_my_decoded, member)
#define WAIT(id) (TAP_MY_WAIT_##id - TAP_MY_WAIT_NONE)

static const struct tap_my_product_info infos[TAP_MY_PRODUCTS] = {
	[TAP_MY_MARIADB] = {
		.name = "mariadb",
		.title = "MariaDB",
		.sessions = "server_threads",
		.functions = {
			{ "_current_thd", TAP_MY_SHAPE_THREAD_LOCAL, 0, TO(thd) },
			{ "thd_query_string", TAP_MY_SHAPE_ADDRESS, 0, TO(query) },
			{ "thd_current_db", TAP_MY_SHAPE_ADDRESS, 0, TO(database) },
			{ "thd_get_thread_id", TAP_MY_SHAPE_FIELD, 8, TO(thread_id) },
			{ "thd_current_command", TAP_MY_SHAPE_FIELD, 4, TO(command) },
			{ "thd_user_name", TAP_MY_SHAPE_PART, 0, TO(user) },
			{ "thd_client_host", TAP_MY_SHAPE_PART, 0, TO(host) },
			{ "thd_client_ip", TAP_MY_SHAPE_PART, 0, TO(address) },
			{ "thd_increment_bytes_received", TAP_MY_SHAPE_COUNTER, 0, TO(received) },
			{ "thd_alloc", TAP_MY_SHAPE_HANDED_ON, 0, TO(memory) },
		},
		.stages = {
			{ "Waiting for table metadata lock", true, WAIT(METADATA_LOCK) },
			{ "Waiting for schema metadata lock", true, WAIT(METADATA_LOCK) },
			{ "stage_user_sleep", false, WAIT(USER_SLEEP) },
			{ "stage_user_lock", false, WAIT(USER_LOCK) },
			{ "stage_table_lock", false, WAIT(TABLE_LOCK) },
			{ "stage_waiting_for_prior_transaction_to_commit", false, WAIT(COMMIT_ORDER) },
			{ "stage_waiting_for_prior_transaction_to_start_commit", false, WAIT(COMMIT_ORDER) },
			{ "stage_waiting_for_ftwrl", false, WAIT(GLOBAL_LOCK) },
		},
	},
	[TAP_MY_MYSQL] = {
		.name = "mysql",
		.title = "MySQL",
		.sessions = "_ZN18Global_THD_manager11thd_managerE",
		.thread_slot = "current_thd",
		.functions = {
			{ "_Z16thd_query_unsafeP3THD", TAP_MY_SHAPE_TEXT, 0, TO(query) },
			{ "_Z13thd_thread_idPK3THD", TAP_MY_SHAPE_FIELD, 4, TO(thread_id) },
			{ "_ZN3THD11set_commandE19enum_server_command", TAP_MY_SHAPE_STORED, 0, TO(command) },
			{ "_Z24thd_get_security_contextP3THDPP16Security_context", TAP_MY_SHAPE_HANDED_OUT, 0,
			  TO(security) },
			{ "_ZNK16Security_context4userEv", TAP_MY_SHAPE_TEXT, 0, TO(user) },
			{ "_ZNK16Security_context4hostEv", TAP_MY_SHAPE_TEXT, 0, TO(host) },
			{ "_ZNK16Security_context2ipEv", TAP_MY_SHAPE_TEXT, 0, TO(address) },
			{ "_Z18get_thd_status_varP3THDPb", TAP_MY_SHAPE_FLAGGED_ADDRESS, 0, TO(status) },
			{ "_Z10thd_memdupP3THDPKvm", TAP_MY_SHAPE_HANDED_ON, 0, TO(memory) },
			{ "_Z11thd_get_psiP3THD", TAP_MY_SHAPE_FIELD, 8, TO(record) },
		},
		.stages = {
			{ "Waiting for table metadata lock", true, WAIT(METADATA_LOCK) },
			{ "Waiting for schema metadata lock", true, WAIT(METADATA_LOCK) },
			{ "User lock", true, WAIT(USER_LOCK) },
			{ "Waiting for global read lock", true, WAIT(GLOBAL_LOCK) },
			{ "stage_user_sleep", false, WAIT(USER_SLEEP) },
			{ "stage_waiting_for_table_level_lock", false, WAIT(TABLE_LOCK) },
			{ "stage_waiting_for_handler_commit", false, WAIT(COMMIT_SYNC) },
			{ "stage_worker_waiting_for_its_turn_to_commit", false, WAIT(COMMIT_ORDER) },
		},
	},
};

const struct tap_my_product_info *tap_my_product_info(enum tap_my_product product)
{
	return &infos[(unsigned)product < TAP_MY_PRODUCTS ? product : TAP_MY_MARIADB];
}
