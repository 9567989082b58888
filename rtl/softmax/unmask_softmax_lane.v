// What one element adds to the five slots of a state whose maximum is known; 4 cycles.
//
// A normal element's term e**l is cut into three slices of 16 bits, which go to the slots that are
// as far below the maximum's first slice as its bin is below that of the maximum; what would lie
// below the last slot is dropped. A big element is counted in slot 0 if it equals the maximum.
`default_nettype none

module unmask_softmax_lane (
    input  wire        clk,

    input  wire [15:0] in_code,
    input  wire        in_active,

    input  wire [15:0] in_maximum, // code of the maximum, this element included; one cycle later
    input  wire [11:0] in_top,     // its bin, 0 unless it is normal; two cycles later

    output wire [79:0] out_slots   // slot 0 lowest
);

    localparam [14:0] BIG = 15'h4680;       // 2**14, the first magnitude that is not normal
    localparam [14:0] INFINITY = 15'h7f80;  // the last one that is a number

    // 1: the exponent of 2, and what kind of element it is.
    wire [11:0] bin;
    wire [3:0] place;
    wire [16:0] fraction;
    unmask_base2 base2 (.code(in_code), .bin(bin), .place(place), .fraction(fraction));

    reg [15:0] code_reg;
    reg [11:0] bin_reg;
    reg [3:0] place_reg;
    reg [16:0] fraction_reg;
    reg normal_reg;
    reg big_reg;

    always @(posedge clk) begin
        code_reg <= in_code;
        bin_reg <= bin;
        place_reg <= place;
        fraction_reg <= fraction;
        normal_reg <= in_active & in_code[14:0] < BIG;
        big_reg <= in_active & in_code[14:0] >= BIG & in_code[14:0] <= INFINITY;
    end

    // 2: the mantissa.
    wire [19:0] mantissa;
    unmask_mantissa power (.fraction(fraction_reg), .mantissa(mantissa));

    reg [11:0] late_bin_reg;
    reg [3:0] late_place_reg;
    reg [19:0] mantissa_reg;
    reg late_normal_reg;
    reg equal_reg;

    always @(posedge clk) begin
        late_bin_reg <= bin_reg;
        late_place_reg <= place_reg;
        mantissa_reg <= mantissa;
        late_normal_reg <= normal_reg;
        equal_reg <= big_reg & code_reg == in_maximum;
    end

    // 3: the distance to the maximum, and the term at its place within its bin.
    wire [11:0] distance = in_top - late_bin_reg;

    reg [34:0] term_reg;
    reg [2:0] distance_reg;
    reg near_reg;
    reg counted_reg;

    always @(posedge clk) begin
        term_reg <= {15'd0, mantissa_reg} << late_place_reg;
        distance_reg <= distance[2:0];
        near_reg <= late_normal_reg & distance < 12'd5 & in_top != 12'd0;
        counted_reg <= equal_reg;
    end

    // 4: slices to slots.
    wire [15:0] high = term_reg[34:19];
    wire [15:0] middle = term_reg[18:3];
    wire [15:0] low = {term_reg[2:0], 13'd0};

    reg [79:0] slots;

    always @(*) begin
        case (distance_reg)
            3'd0: slots = {32'd0, low, middle, high};
            3'd1: slots = {16'd0, low, middle, high, 16'd0};
            3'd2: slots = {low, middle, high, 32'd0};
            3'd3: slots = {middle, high, 48'd0};
            default: slots = {high, 64'd0};
        endcase
    end

    reg [79:0] slots_reg;

    always @(posedge clk) slots_reg <= near_reg ? slots : {79'd0, counted_reg};

    assign out_slots = slots_reg;

endmodule

`default_nettype wire
