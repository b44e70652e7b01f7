"""Evidence to judgement, one module per kind of proposition."""
