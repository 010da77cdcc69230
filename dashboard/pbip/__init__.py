"""The Power BI project in `dashboard/powerbi`, generated from what dbt says of `dwh`."""
