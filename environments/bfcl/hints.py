"""What is behind the errors of BFCL's tools: what they take, and which of them tells what another one needs.

Written from the tools' own sources, domain by domain. No hint holds what a ground truth calls a tool with.
"""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]


def _of(tools: str, error: str, text: str) -> Hint:
    """A hint for an error that one of ``tools`` replies with; a reply begins with the tool's name."""
    return Hint(rf"\b({tools})\b", rf"^({tools}): ({_ERROR}).*({error})", text)


def _odd(tools: str, reply: str, text: str) -> Hint:
    """The same for a reply that says without the word that there was an error."""
    return Hint(rf"\b({tools})\b", rf"^({tools}): .*({reply})", text)


_ERROR = r"\[?\{.{0,40}[\"']error[\"']:|Error"


_FILES = (
    _of(
        "cd", "Unsupported path", "cd goes one level down or up at a time; a way through several folders takes several."
    ),
    _of("cd", "already the root", "There is nothing above this directory; pwd says where it is."),
    _of("cd", "No such directory", "cd knows only what lies in the current directory; ls lists that."),
    _of("find", "No such file", "The path to search in begins in the current directory; ls lists what lies there."),
    _of("mkdir|touch|echo|cat", "Invalid character", "It takes a name alone, in the current directory, and no path."),
    _of("mkdir|touch", "File exists", "That name is there already, and need not be made; ls lists what there is."),
    _of(
        "mv|cp", "path not allowed", "The destination is a name in the current directory and no path: go there with cd."
    ),
    _of("mv|cp", "File exists", "The destination has something of that name already."),
    _of("mv|cp", "Not a directory", "The destination is a file that is there already; it is not replaced."),
    _of(
        "rm",
        "cannot remove",
        "rm takes the name of what lies in the current directory, and no path; a path is gone with cd, step by step.",
    ),
    _of("rmdir", "Directory not empty", "A directory is removed only when nothing is in it; ls shows what is."),
    _of("rmdir", "Not a directory", "rmdir is for directories; a file is removed by another tool."),
    _of("rmdir", "No such", "rmdir takes the name of a directory in the current one, and no path."),
    _of("cat", "Is a directory", "cat shows files; what is in a directory is listed by ls."),
    _of("wc", "invalid mode", "There are three modes, one letter each: see the tool's description."),
    _of(
        "cat|echo|wc|sort|grep|tail|diff|mv|cp|cd",
        "No such file|Not a file",
        "Names are looked up in the current directory alone, and take no path: pwd says where that is, ls what lies "
        "there, find where something is, and cd goes there.",
    ),
)

_MATH = (
    _of(
        "si_unit_conversion",
        "not supported",
        "Only metric units of length are known, by their short symbols; another length is converted by another tool.",
    ),
    _of(
        "imperial_si_conversion",
        "not supported",
        "It converts between one unit and its counterpart in the other system alone, by short names; a longer way "
        "takes several conversions.",
    ),
    _of(r"\w+_conversion", "too large", "The result is beyond what can be written."),
    _of(
        "divide|percentage", "zero", "The number that is divided by must not be nothing; see what it was computed from."
    ),
    _of("square_root", "negative|invalid", "There is a root of what is not negative, to a whole number of digits."),
    _of("logarithm", "", "There is a logarithm of positive numbers, to a positive base, and a precision in digits."),
    _of(r"mean|standard_deviation|\w+_values?", "empty list", "A list with at least one number is expected."),
    _of(r"mean|standard_deviation|\w+_values?", "must be numbers", "The list holds something else than numbers."),
    _of("round_number", "must be", "A number is rounded to a whole number of digits."),
    _of(
        r"\w+",
        r"(inputs?|value) must be (a )?number",
        "Numbers are given as numbers: without quotation marks, units or symbols.",
    ),
)

_MESSAGES = (
    _of(
        r"send_message|delete_message|view_messages_sent|add_contact|search_messages|get_message_stats",
        "No user is currently logged in",
        "This works for whoever is logged in: message_login does that, with a user's id.",
    ),
    _of("get_user_id", "not found in the workspace", "Who there is is told by list_users, names written the same way."),
    _of(
        "send_message",
        "Receiver ID",
        "A receiver is an id and not a name: get_user_id tells it, for those who are there.",
    ),
    _of(
        "delete_message", "Receiver ID", "Nothing was sent to that id: view_messages_sent tells what was, and to whom."
    ),
    _of("add_contact", "already exists", "That name is there already: list_users tells who is."),
    _odd("message_login", "not found", "It takes an id and not a name: get_user_id tells the id of a user."),
)

_POSTS = (
    _of(
        r"post_tweet|retweet|comment|follow_user|list_all_following|unfollow_user",
        "not authenticated",
        "This works for whoever is logged in: authenticate_twitter does that, with name and password.",
    ),
    _odd(
        "authenticate_twitter",
        r"authentication_status\W+false",
        "Name and password must be exactly what the user said.",
    ),
    _of(
        r"retweet|comment|mention|get_tweet|get_tweet_comments",
        "Tweet with ID",
        "A tweet's id is a number that is told when it is posted, by get_user_tweets and by search_tweets.",
    ),
)

_TICKETS = (
    _of(
        "create_ticket|get_user_tickets",
        "not authenticated",
        "This works for whoever is logged in: ticket_login does that, with name and password.",
    ),
    _odd("ticket_login", r"success\W+false", "Both name and password must be given."),
    _of("create_ticket", "Invalid priority", "The priority lies in the range that the tool's description gives."),
    _of(
        "get_ticket|close_ticket|resolve_ticket|edit_ticket",
        "Ticket with ID .* not found",
        "A ticket's id is a number that is told when it is created; get_user_tickets lists those of the user.",
    ),
    _of(
        "close_ticket|resolve_ticket",
        "already",
        "Nothing is left to do for this ticket: get_ticket shows how it stands.",
    ),
    _of(
        "edit_ticket",
        "Invalid fields",
        "Only some fields of a ticket can be changed; the tool's description names them.",
    ),
)

_TRADING = (
    _of(
        r"place_order|withdraw_funds|get_account_info|fund_account|remove_stock_from_watchlist|get_\w+",
        "not authenticated",
        "This works for whoever is logged in: trading_login does that, with name and password.",
    ),
    _of(
        "get_stock_info|place_order",
        "not found|Invalid stock symbol",
        "A stock goes by its symbol and not by its name: get_symbol_by_name tells it.",
    ),
    _odd("get_symbol_by_name", "Stock not found", "The name must be the company's, as the market has it."),
    _of(
        "get_order_details|cancel_order",
        "Order with ID .* not found|KeyError",
        "An order's id is a number that is told when it is placed; get_order_history lists them.",
    ),
    _of(
        "cancel_order",
        "already completed",
        "An order that was carried out stands; get_order_details shows how it stands.",
    ),
    _of(
        "place_order", "must be positive", "Price and amount are numbers above nothing; get_stock_info tells the price."
    ),
    _of(
        "place_order|withdraw_funds",
        "Insufficient funds",
        "There is less in the account: get_account_info tells how much, and fund_account adds to it.",
    ),
    _of("withdraw_funds", "Market is closed", "Money moves while the market is open; get_current_time tells the time."),
    _of("withdraw_funds|fund_account", "must be positive", "An amount is a number above nothing."),
    _of("remove_stock_from_watchlist", "not found", "get_watchlist tells what is in the list, by symbols."),
)

_TRAVEL = (
    _of(
        r"register_credit_card|get_credit_card_balance|book_flight|retrieve_invoice|get_booking_history|cancel_booking|"
        "set_budget_limit|purchase_insurance",
        "Token|access token",
        "The token is what authenticate_travel gives, as it is, and the newest one alone is valid.",
    ),
    _of("register_credit_card", "already registered", "A card is registered once: get_all_credit_cards lists them."),
    _of(
        "get_credit_card_balance|book_flight|purchase_insurance",
        "card not registered|Balance not found",
        "A card goes by the id that registering it gives, not by its number: get_all_credit_cards lists the ids.",
    ),
    _of(
        "book_flight",
        "Invalid (departure|destination) airport",
        "An airport goes by its code and not by its city: get_nearest_airport_by_city tells it.",
    ),
    _of(
        "get_flight_cost|book_flight",
        "No available route",
        "Airports go by their codes, and not every two have a flight in that direction: get_nearest_airport_by_city "
        "tells the code of a city, list_all_airports all of them.",
    ),
    _of(
        "get_flight_cost|book_flight", "travel class", "There are three classes, in small letters: see the description."
    ),
    _of(
        "get_flight_cost|book_flight",
        "date|time data",
        "A date is year, month and day in digits, with hyphens between.",
    ),
    _of(
        "book_flight|purchase_insurance",
        "budget limit",
        "The budget limit stands in the way: the user must say another one, or want something cheaper.",
    ),
    _of("book_flight", "Insufficient funds", "The card holds too little: get_credit_card_balance tells how much."),
    _of(
        r"retrieve_invoice|cancel_booking|purchase_insurance|contact_customer_support",
        "Booking not found",
        "A booking goes by the id that booking gave: get_booking_history lists those that stand.",
    ),
    _of(
        "compute_exchange_rate",
        "exchange rate",
        "Currencies go by the codes in the tool's description, and one of the two must be the dollar: others take two "
        "steps.",
    ),
    _odd(
        "get_nearest_airport_by_city",
        "Unknown",
        "The city is not known by that name; list_all_airports tells what there is.",
    ),
    _of(
        "verify_traveler_information",
        "",
        "The date of birth is year, month and day in digits, with hyphens between.",
    ),
)

_VEHICLE = (
    _of("startEngine", "doors must be locked", "The engine starts with every door locked: lockDoors does that."),
    _of("startEngine", "brake", "The engine starts while the pedal is down all the way: pressBrakePedal does that."),
    _of("startEngine", "Fuel tank is empty", "The tank holds nothing: fillFuelTank adds to it."),
    _of("startEngine", "ignition mode", "There are two modes, in capitals: see the tool's description."),
    _of("fillFuelTank", "negative", "The tank can be filled, and nothing taken out."),
    _of("fillFuelTank", "capacity", "What is in the tank counts too: displayCarStatus tells how much that is."),
    _of("fillFuelTank", "empty", "There would be less than nothing in the tank."),
    _of("lockDoors", "Error during", "Doors go by the names in the tool's description, in a list."),
    _of("adjustClimateControl", "Fan speed", "The fan's speed is a share of the whole, in percent."),
    _of(
        "get_outside_temperature_from_weather_com",
        "404",
        "That service does not answer; another tool asks another one.",
    ),
    _of("setHeadlights", "headlight mode", "There are three modes: see the tool's description."),
    _of("displayCarStatus", "Invalid option", "A part of the car goes by its name in the tool's description."),
    _of("activateParkingBrake", "Invalid mode", "There are two modes, which are verbs: see the tool's description."),
    _of(
        "pressBrakePedal",
        "Pedal position",
        "The position is a share: nothing is not pressed, the whole is pressed fully.",
    ),
    _of("setCruiseControl", "Start the engine", "Cruise control needs a running engine: startEngine starts it."),
    _of("setCruiseControl", "Invalid speed", "Speeds have steps and a maximum: see the tool's description."),
    _of(
        "estimate_distance",
        "not found",
        "Cities go by their zip codes: get_zipcode_based_on_city tells them. Not every two have a known distance.",
    ),
    _odd("get_zipcode_based_on_city", "00000", "The city is not known by that name, which is the city's alone."),
)

_ANY = (
    Hint("", r"^Error: ", "The reply was meant as calls and could not be read; one form, and nothing around."),
    Hint("", r"there is no tool", "Only what is listed can be called. Where no tool does it, say so in words."),
    Hint(
        "",
        r"it is called as",
        "Every argument without a default must be given, and no others, by the names in the usage.",
    ),
    Hint("", r"is too large", "No such number is meant; see what it was computed from."),
)

HINTS = (*_FILES, *_MATH, *_MESSAGES, *_POSTS, *_TICKETS, *_TRADING, *_TRAVEL, *_VEHICLE, *_ANY)
