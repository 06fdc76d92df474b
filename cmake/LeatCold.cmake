# Files of the library that set up, tell, save and close: they run once a model or once a command, not once a record, and are
# compiled for size. Results keep their bits: no option here changes arithmetic. What a row, a record or a look-up passes through
# stays with the speed of CMAKE_C_FLAGS_RELEASE; a new file is of that kind until it is named here.
set(LEAT_COLD_FILES
  api/api_arrow api/api_dataset api/api_device api/api_inspect api/api_metrics api/api_model api/api_monitor api/api_params
  api/api_publish api/api_quarantine api/api_runtime api/api_schema api/api_store api/api_trainer api/api_version api/specs
  base/error base/files base/log base/params base/posix_load base/seal
  data/arrow_plan data/arrow_schema data/arrow_type data/csv_plan data/dlpack data/idx data/infer data/notes data/npy data/open
  data/schema
  device/loader device/probe device/registry device/op device/ops device/reference device/reference_loss device/reference_map
  device/reference_matrix device/reference_norm device/reference_step device/reference_table
  lifecycle/endpoint_trial lifecycle/folder lifecycle/folder_files lifecycle/folder_learner lifecycle/folder_log
  lifecycle/folder_state lifecycle/folder_tables lifecycle/gate_save lifecycle/gate_settings lifecycle/gate_text
  lifecycle/guard_policy lifecycle/guard_state lifecycle/held lifecycle/learner_events lifecycle/learner_hand
  lifecycle/learner_journal lifecycle/learner_race lifecycle/learner_schema lifecycle/learner_state lifecycle/learner
  lifecycle/publish lifecycle/quarantine lifecycle/quarantine_add lifecycle/quarantine_purge lifecycle/reason lifecycle/refresh
  lifecycle/series lifecycle/trial
  model/derive model/family model/mlp_spec model/model model/online_spec model/package model/words
  serve/meta serve/table_open
  stats/drift
  train/checkpoint train/net_build train/result train/start)
set(LEAT_COLD_SOURCES ${LEAT_COLD_FILES})
list(TRANSFORM LEAT_COLD_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/lib/)
list(TRANSFORM LEAT_COLD_SOURCES APPEND .c)
set_source_files_properties(${LEAT_COLD_SOURCES} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-Os>")
