"""Whether the pipeline will work for an account: asked, compared, judged."""
