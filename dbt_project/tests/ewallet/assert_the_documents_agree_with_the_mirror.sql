-- What only one of them has may have been inserted or deleted between the export and the run.
select * from {{ ref('dwh_mart_ewallet_document_differences') }}
where difference not like 'only in %'
