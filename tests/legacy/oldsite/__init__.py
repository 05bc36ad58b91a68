"""A project in the style of 2016 and 2017: what it says about channels is written as it was then."""
