"""What members are told, once each: kept in their inbox, and sent to them by e-mail.

Nothing here knows what it is about: packages above say it, in the transaction of the fact.
"""
