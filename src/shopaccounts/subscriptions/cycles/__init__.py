"""On which days and at which moments the periods of a subscription begin, and which part of one a few days are."""
