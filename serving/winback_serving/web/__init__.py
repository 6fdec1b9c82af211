"""The web server: pages for people and a typed API for programs, over the published runs and nothing else.

How a request is answered, for pages and API alike: `winback_serving.web.deps.CurrentRun` gives one immutable
`winback_serving.web.reader.Run`, and everything in the answer comes from it. `winback_serving.web.lists` turns the query
string into a safe query. `winback_serving.web.errors` turns every error into one shape.
"""
