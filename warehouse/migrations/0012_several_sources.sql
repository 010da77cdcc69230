-- A warehouse may mirror several sources: each has a pin. The one without a name keeps its own.

alter table mrr_state.pinned_source add column source_name text not null default '';
alter table mrr_state.pinned_source drop constraint pinned_source_pkey;
alter table mrr_state.pinned_source add primary key (source_name);
alter table mrr_state.pinned_source drop column is_only;
alter table mrr_state.pinned_source alter column source_name drop default;
