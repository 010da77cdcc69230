-- Each difference is named in the model; without events there is none.
select * from {{ ref('dwh_mart_ewallet_event_differences') }}
